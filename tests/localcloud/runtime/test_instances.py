"""One function in its process: its environment, and every way in which an invocation can end."""

import asyncio
import json
import os
import signal
import time
from typing import Any

import pytest

from localcloud.runtime.registry import FunctionRegistry
from localcloud.runtime.runner import Invocation
from tests.localcloud.functions import ECHO
from tests.localcloud.runtime.project import Project

pytestmark = pytest.mark.process


def test_function_gets_event_and_returns_result(project: Project) -> None:
    project.add("echo", ECHO)
    invocation = project.invoke("echo", {"会议": [1, None, True]})
    assert (invocation.outcome, invocation.result) == ("ok", {"会议": [1, None, True]})
    assert (invocation.trigger, invocation.attempt, invocation.cold) == ("invoke", 1, True)
    assert invocation.memory_mib is not None
    assert 1 < invocation.memory_mib < 200


def test_modules_are_found_at_root_and_in_handlers(project: Project) -> None:
    project.add(
        "near", "import words\ndef main_handler(event, context):\n    return words.HERE\n", below="handlers"
    )
    (project.folder / "words.py").write_text("HERE = 'root'\n")
    (project.folder / "handlers" / "beside.py").write_text("")
    assert project.invoke("near").result == "root"


def test_environment_of_this_process_does_not_leak(project: Project) -> None:
    os.environ["LEAK_OF_THE_DEVELOPER"] = "1"
    try:
        project.environ["TOKEN"] = "0123456789abcdef"
        project.settings["environments"] = [
            {"key": "CALLBACK_TOKEN", "value": "${env:TOKEN}"},
            {"key": "NOT_SET", "value": "${env:NOWHERE}"},
            {"key": "PARTLY_SET", "value": "a/${env:NOWHERE}"},
        ]
        project.add(
            "show",
            "import logging, os, sys\n"
            "def main_handler(event, context):\n"
            "    names = [m for m in sys.modules if m.split('.')[0] == 'localcloud']\n"
            "    return [dict(os.environ), os.getcwd(), sys.path, names, logging.getLogger().level, context]\n",
        )
        result: Any = project.invoke("show").result
    finally:
        del os.environ["LEAK_OF_THE_DEVELOPER"]
    environ, folder, path, modules, level, context = result
    assert "LEAK_OF_THE_DEVELOPER" not in environ
    assert environ["CALLBACK_TOKEN"] == "0123456789abcdef"
    assert environ["PARTLY_SET"] == "a/undefined"
    assert "NOT_SET" not in environ
    assert environ["CLOUD_ENDPOINT"] == "http://127.0.0.1:9"
    assert environ["PYTHONDONTWRITEBYTECODE"] == "x"
    assert environ["SCF_FUNCTIONNAME"] == "t-test-scribe-show"
    assert folder == str(project.folder)
    assert path[0] == str(project.folder)
    assert modules == []
    assert level == 10
    assert context["function_name"] == "t-test-scribe-show"
    assert (context["memory_limit_in_mb"], context["time_limit_in_ms"]) == (128, 3000)


def test_every_invocation_has_its_own_credentials(project: Project) -> None:
    project.add(
        "show",
        "import json, os\n"
        "def main_handler(event, context):\n"
        "    variables = json.loads(context['environment'])\n"
        "    name = 'TENCENTCLOUD_SECRETID'\n"
        "    return [os.environ[name], variables[name], f'{name}={variables[name]};' in context['environ'],\n"
        "            os.environ['TENCENTCLOUD_SESSIONTOKEN'], context['request_id']]\n",
    )

    async def twice(functions: FunctionRegistry) -> list[Any]:
        return [(await functions.invoke("show", None)).result for _ in range(2)]

    first, second = project.run(twice)
    assert first[:4] == ["AKID1", "AKID1", True, "token;with=signs"]
    assert second[:2] == ["AKID2", "AKID2"]
    assert project.issued == [("show", first[4]), ("show", second[4])]


def test_function_without_role_gets_no_credentials(project: Project) -> None:
    project.add("show", "import os\ndef main_handler(event, context):\n    return sorted(os.environ)\n")
    project.settings["role"] = None  # leaves it out
    result: Any = project.invoke("show").result
    assert "TENCENTCLOUD_REGION" in result
    assert "TENCENTCLOUD_SECRETID" not in result
    assert project.issued == []


def test_output_belongs_to_its_invocation(project: Project) -> None:
    project.add(
        "talk",
        "import logging, os, sys\n"
        "print('loading')\n"
        "logging.basicConfig(level=logging.ERROR)\n"
        "def main_handler(event, context):\n"
        "    print('out', event, '会议')\n"
        "    logging.getLogger('x').debug('debug %s', event)\n"
        "    print('err', file=sys.stderr)\n"
        "    os.system('echo child')\n"
        "    print('no end of line', end='')\n",
    )

    async def twice(functions: FunctionRegistry) -> list[Invocation]:
        return [await functions.invoke("talk", number) for number in (1, 2)]

    first, second = project.run(twice)
    assert first.log == ("loading", "out 1 会议", "[DEBUG] debug 1", "err", "child", "no end of line")
    assert second.log == ("out 2 会议", "[DEBUG] debug 2", "err", "child", "no end of line")
    assert (first.cold, second.cold) == (True, False)
    file = (project.folder / "state" / "logs" / "talk.log").read_text("utf-8")
    assert f"START RequestId: {first.request_id} trigger=invoke attempt=1\n" in file
    assert "out 1 会议\n" in file
    assert f"END RequestId: {second.request_id}\n" in file
    assert f"REPORT RequestId: {second.request_id} Duration:" in file


def test_instance_survives_an_exception(project: Project) -> None:
    project.add(
        "bad",
        "import os\ndef main_handler(event, context):\n    assert event, os.getpid()\n    return os.getpid()\n",
    )

    async def fail_then_work(functions: FunctionRegistry) -> list[Invocation]:
        return [await functions.invoke("bad", event) for event in (False, True)]

    failed, worked = project.run(fail_then_work)
    assert failed.outcome == "error"
    assert failed.error.startswith(f"AssertionError: {worked.result}\nTraceback")
    assert worked.outcome == "ok"


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ("{1, 2}", "not JSON serializable"),
        ("b'bytes'", "not JSON serializable"),
        ("'x' * (6 * 1024 * 1024 + 1)", "more than 6291456"),
        ("__import__('sys').exit(3)", "SystemExit: 3"),
    ],
)
def test_invalid_result_is_an_error(project: Project, result: str, message: str) -> None:
    project.add("odd", f"def main_handler(event, context):\n    return {result}\n")
    invocation = project.invoke("odd")
    assert invocation.outcome == "error"
    assert message in invocation.error


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import no_such_module\n", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("def other(event, context): ...\n", "has no function 'main_handler'"),
        ("def main_handler(:\n", "SyntaxError"),
        ("print('first')\nraise SystemExit(1)\n", "SystemExit"),
        ("import os\nos._exit(4)\n", "exit code 4"),
    ],
)
def test_load_error_is_explained(project: Project, code: str, message: str) -> None:
    project.add("broken", code)
    invocation = project.invoke("broken")
    assert invocation.outcome == "load-error"
    assert message in invocation.error
    assert invocation.log == (("first",) if "first" in code else ())


def test_timeout_kills_the_process_group(project: Project) -> None:
    marker = project.folder / "still-alive"
    project.add(
        "slow",
        "import subprocess, sys, time\n"
        "def main_handler(event, context):\n"
        "    if event is None:\n"
        "        return 'quick'\n"
        "    print('before', flush=True)\n"
        "    subprocess.Popen([sys.executable, '-c',\n"
        "        f'import time; time.sleep(2); open({event!r}, \"w\")'])\n"
        "    time.sleep(30)\n",
        timeout=1,
    )

    async def slow_then_quick(functions: FunctionRegistry) -> list[Invocation]:
        return [await functions.invoke("slow", str(marker)), await functions.invoke("slow", None)]

    slow, quick = project.run(slow_then_quick)
    assert slow.outcome == "timeout"
    assert 1_000 <= slow.duration_ms < 3_000
    assert slow.log == ("before",)
    assert (quick.outcome, quick.result, quick.cold) == ("ok", "quick", True)
    deadline = time.monotonic() + 1.5  # the child would have written its file by then
    while time.monotonic() < deadline and not marker.exists():
        time.sleep(0.1)
    assert not marker.exists()


def test_next_event_after_a_crash_gets_a_new_instance(project: Project) -> None:
    project.add(
        "crash",
        "import os\n"
        "def main_handler(event, context):\n"
        "    print('last words')\n"
        "    if event == 'exit': os._exit(7)\n"
        "    if event == 'kill': os.kill(os.getpid(), 9)\n",
        timeout=60,
    )

    async def crash_twice(functions: FunctionRegistry) -> list[Invocation]:
        return [await functions.invoke("crash", event) for event in ("exit", "kill", "")]

    exited, killed, fine = project.run(crash_twice)
    assert [exited.outcome, killed.outcome, fine.outcome] == ["crash", "crash", "ok"]
    assert "exit code 7" in exited.error
    assert "signal 9" in killed.error
    assert exited.log == ("last words",)


def test_idle_instance_exit_is_not_an_error(project: Project) -> None:
    project.add("pid", "import os\ndef main_handler(event, context):\n    return os.getpid()\n")

    async def kill_between(functions: FunctionRegistry) -> list[Invocation]:
        first = await functions.invoke("pid", None)
        assert isinstance(first.result, int)
        os.kill(first.result, signal.SIGKILL)
        await asyncio.sleep(0.05)  # if it takes longer to exit, the crash is reported instead
        return [first, await functions.invoke("pid", None)]

    first, second = project.run(kill_between)
    assert (first.outcome, second.outcome, second.cold) == ("ok", "ok", True)


def test_instances_are_reused_one_event_at_a_time(project: Project) -> None:
    project.add(
        "busy",
        "import os, time\n"
        "running = 0\n"
        "def main_handler(event, context):\n"
        "    global running\n"
        "    running += 1\n"
        "    time.sleep(0.1)\n"
        "    seen, running = running, running - 1\n"
        "    return [seen, os.getpid()]\n",
    )

    async def many(functions: FunctionRegistry) -> list[Invocation]:
        return list(await asyncio.gather(*(functions.invoke("busy", None) for _ in range(7))))

    invocations = project.run(many, max_instances=3)
    results: list[Any] = [invocation.result for invocation in invocations]
    assert {running for running, _pid in results} == {1}
    assert len({pid for _running, pid in results}) == 3
    assert sum(invocation.cold for invocation in invocations) == 3


def test_warm_invocation_is_fast(project: Project) -> None:
    project.add("echo", ECHO)

    async def often(functions: FunctionRegistry) -> float:
        await functions.invoke("echo", None)
        durations = [(await functions.invoke("echo", {"n": n})).duration_ms for n in range(50)]
        return sorted(durations)[25]

    assert project.run(often) < 20  # about 0.5 on an idle machine; a busy one may take its time


def test_close_kills_a_busy_function(project: Project) -> None:
    project.add(
        "slow",
        "import os, time\ndef main_handler(event, context):\n    print(os.getpid())\n    time.sleep(60)\n",
        timeout=60,
    )

    async def close_during(functions: FunctionRegistry) -> Invocation:
        running = asyncio.create_task(functions.invoke("slow", None))
        await asyncio.sleep(0.3)
        await functions.close()
        return await running

    invocation = project.run(close_during)
    assert invocation.outcome in ("crash", "load-error")
    for line in invocation.log:
        with pytest.raises(ProcessLookupError):
            os.kill(int(line), 0)


def test_invocations_are_numbered(project: Project) -> None:
    project.add("echo", ECHO)

    async def three(functions: FunctionRegistry) -> list[Invocation]:
        for event in range(3):
            await functions.invoke("echo", event)
        with pytest.raises(KeyError):
            await functions.invoke("unknown", None)
        assert (await functions.invoke("t-test-scribe-echo", 3)).result == 3
        return functions.invocations(since=2)

    later = project.run(three)
    assert [(invocation.number, invocation.result) for invocation in later] == [(3, 2), (4, 3)]
    assert json.dumps(later[0].result) == "2"
