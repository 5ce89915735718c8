"""The three entry points on in-memory COS and CI: what they return, raise and log."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from handlers import callback, sweep, upload
from shared.errors import EventError, Throttled
from shared.logger import Logger
from shared.recordings.context import Context
from tests.helpers.fake_cloud import CALLBACK_TOKEN, INPUT_BUCKET, REGION, FakeCloud, raise_error
from tests.helpers.in_memory_pipeline import DUE_S, InMemoryPipeline

KEY, BODY = "calls/会议 a.mp3", b"words of the recording"
SHANGHAI = "ap-shanghai"
SCF_CONTEXT = {"request_id": "r1", "time_limit_in_ms": 60_000}
BUSY = Throttled(resource=INPUT_BUCKET, status=503, code="SlowDown")


class Functions:
    """The handlers, whose context is that of an in-memory pipeline."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, cloud: FakeCloud | None = None, **settings: Any
    ) -> None:
        self.pipeline = InMemoryPipeline(cloud, **settings)
        self.log_lines = self.pipeline.log_lines
        monkeypatch.setenv("CALLBACK_TOKEN", ",".join(self.pipeline.ctx.settings.callback_tokens))
        for handler in (upload, callback, sweep):
            monkeypatch.setattr(handler, "create_logger", self._create_logger)
            monkeypatch.setattr(handler, "create_context", self._create_context)

    def _create_logger(self, function: str, context: Any) -> Logger:
        return Logger({"function": function}, lambda line: self.log_lines.append(json.loads(line)))

    def _create_context(self, context: Any, log: Logger) -> Context:
        ctx = self.pipeline.ctx
        return Context(
            ctx.settings,
            ctx.input_cos,
            ctx.output_cos,
            ctx.speech,
            log,
            ctx.now,
            ctx.create_secret,
            ctx.versioned_buckets,
        )

    def upload(self, *records: Any) -> dict[str, Any]:
        return upload.main_handler({"Records": list(records)}, SCF_CONTEXT)

    def notify(self, body: str = "", path: Any = f"/{CALLBACK_TOKEN}", **members: Any) -> dict[str, Any]:
        event = {"path": path, "httpMethod": "POST", "body": body, **members}
        return callback.main_handler(event, SCF_CONTEXT)

    def sweep(self, message: str = "reconcile") -> dict[str, Any]:
        return sweep.main_handler({"Type": "Timer", "Message": message}, SCF_CONTEXT)


@pytest.fixture
def functions(monkeypatch: pytest.MonkeyPatch) -> Functions:
    return Functions(monkeypatch)


def build_record(key: str, bucket: str = INPUT_BUCKET, region: str = REGION) -> dict[str, Any]:
    url = f"http://{bucket}.cos.{region}.myqcloud.com/{quote(key, safe='/')}"
    return {"cos": {"cosObject": {"url": url}}, "event": {"eventName": "cos:ObjectCreated:Put"}}


def build_notification(*job_ids: str) -> str:
    jobs = [{"JobId": job_id, "State": "Success"} for job_id in job_ids]
    return json.dumps({"EventName": "TaskFinish", "JobsDetail": jobs})


def test_upload_returns_and_logs_what_was_done_with_each_record(functions: Functions) -> None:
    functions.pipeline.upload(KEY, BODY)
    returned = functions.upload(
        build_record(KEY), {"cos": 5}, build_record("gone.mp3"), build_record("folder/")
    )
    assert [record["status"] for record in returned["recordings"]] == [
        "submitted",
        "invalid_record",
        "object_not_found",
        "skipped",
    ]
    assert [(line["level"], line["event"]) for line in functions.log_lines] == [
        ("info", "upload_processed"),
        ("error", "invalid_event_record"),
        ("warning", "upload_processed"),
        ("info", "upload_processed"),
    ]
    logged = functions.log_lines[0]
    assert (logged["function"], logged["key"], logged["job_id"]) == ("upload", KEY, "s1")
    assert json.loads(json.dumps(returned)) == returned


def test_one_failed_record_does_not_stop_the_others_and_is_raised(functions: Functions) -> None:
    for key in ("a.mp3", "b.mp3"):
        functions.pipeline.upload(key, BODY)
    functions.pipeline.cloud.before("HEAD", "a.mp3", raise_error(BUSY))
    with pytest.raises(Throttled):
        functions.upload(build_record("a.mp3"), build_record("b.mp3"))
    assert [line["event"] for line in functions.log_lines] == ["ingest_failed", "upload_processed"]
    assert functions.pipeline.get_open().key == "b.mp3"
    again = functions.upload(build_record("a.mp3"), build_record("b.mp3"))
    assert [record["status"] for record in again["recordings"]] == ["submitted", "in_progress"]
    assert functions.pipeline.count_jobs() == 2


def test_unexpected_error_is_logged_without_its_text(functions: Functions) -> None:
    functions.pipeline.cloud.before("HEAD", "", raise_error(ValueError("a secret")))
    with pytest.raises(ValueError, match="a secret"):
        functions.upload(build_record(KEY))
    assert functions.log_lines[0]["error"] == "ValueError"


def test_recording_in_another_region_is_read_there(monkeypatch: pytest.MonkeyPatch) -> None:
    functions = Functions(monkeypatch, FakeCloud(regions={INPUT_BUCKET: SHANGHAI}))
    functions.pipeline.upload(KEY, BODY)
    returned = functions.upload(build_record(KEY, region=SHANGHAI))
    assert [record["status"] for record in returned["recordings"]] == ["submitted"]
    assert functions.pipeline.get_open().region == SHANGHAI
    functions.pipeline.settle()
    assert functions.pipeline.get_text(KEY) == BODY.decode()


def test_object_that_is_no_recording_is_logged_once_at_info_level(functions: Functions) -> None:
    keys = [".DS_Store", "notes.pdf", "photo.JPG", "upload.wav.part"]
    for key in keys:
        functions.pipeline.upload(key, BODY)
    functions.upload(*map(build_record, keys))
    assert [(line["level"], line["event"], line["key"]) for line in functions.log_lines] == [
        ("info", "upload_processed", key) for key in keys
    ]
    assert functions.pipeline.cloud.requests == []
    functions.pipeline.cloud.clock.advance(DUE_S)
    functions.sweep("audit")
    assert functions.log_lines[len(keys) :] == [functions.log_lines[-1]]


def test_recording_of_an_accelerated_upload_is_read_in_its_own_region(functions: Functions) -> None:
    functions.pipeline.upload("acc.wav", BODY)
    record = build_record("acc.wav", region="accelerate")
    record["cos"]["cosBucket"] = {
        "region": "gz",
        "cosRegion": REGION,
        "name": "recordings",
        "appid": "1250000000",
    }
    assert functions.upload(record)["recordings"][0]["status"] == "submitted"
    assert functions.pipeline.get_open().region == REGION


@pytest.mark.parametrize("url_key", ["a+b.mp3", "a%20b.mp3"])
def test_key_that_does_not_exist_is_tried_once_as_the_event_has_it(
    functions: Functions, url_key: str
) -> None:
    functions.pipeline.upload("a b.mp3", BODY)
    record = build_record("")
    record["cos"]["cosObject"] = {
        "url": f"http://{INPUT_BUCKET}.cos.{REGION}.myqcloud.com/{url_key}",
        "key": f"/1250000000/{INPUT_BUCKET.removesuffix('-1250000000')}/a b.mp3",
    }
    record["cos"]["cosBucket"] = {"name": INPUT_BUCKET.removesuffix("-1250000000"), "appid": "1250000000"}
    (result,) = functions.upload(record)["recordings"]
    assert (result["status"], result["key"]) == ("submitted", "a b.mp3")
    functions.pipeline.delete("a b.mp3")
    functions.pipeline.take_requests()
    (result,) = functions.upload(record)["recordings"]
    assert result["status"] == "object_not_found"
    assert len(functions.pipeline.take_requests()) == 1 + ("+" in url_key)


def test_key_of_the_url_wins_when_both_exist(functions: Functions) -> None:
    for key in ("a+b.mp3", "a b.mp3"):
        functions.pipeline.upload(key, key.encode())
    record = build_record("a b.mp3")
    record["cos"]["cosObject"] = {
        "url": f"http://{INPUT_BUCKET}.cos.{REGION}.myqcloud.com/a+b.mp3",
        "key": "/a b.mp3",
    }
    (result,) = functions.upload(record)["recordings"]
    assert result["key"] == "a+b.mp3"


def build_restore_record(key: str, event_name: str = "cos:ObjectRestore:Completed") -> dict[str, Any]:
    return {**build_record(key), "event": {"eventName": event_name}}


def test_restore_event_submits_an_archived_recording_once(functions: Functions) -> None:
    functions.pipeline.upload(KEY, BODY)
    functions.pipeline.cloud.change_object(INPUT_BUCKET, KEY, storage="ARCHIVE")
    events = [build_record(KEY), build_restore_record(KEY, "cos:ObjectRestore:Post")]
    statuses = [functions.upload(event)["recordings"][0]["status"] for event in events]
    assert statuses == ["waiting", "skipped"]
    functions.pipeline.cloud.change_object(INPUT_BUCKET, KEY, restore='ongoing-request="false"')
    completed = build_restore_record(KEY)
    statuses = [functions.upload(completed)["recordings"][0]["status"] for _ in range(2)]
    assert statuses == ["submitted", "in_progress"]
    functions.pipeline.settle()
    assert functions.pipeline.get_text(KEY) == BODY.decode()
    assert functions.pipeline.get_error(KEY) is None


def test_restore_of_a_recording_from_before_since_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    functions = Functions(monkeypatch, since_s=FakeCloud().clock.now() + 1000)
    functions.pipeline.upload(KEY, BODY)
    assert functions.upload(build_restore_record(KEY))["recordings"][0]["status"] == "skipped"
    assert functions.upload(build_record(KEY))["recordings"][0]["status"] == "submitted"


def test_recording_that_cannot_be_read_is_no_error_of_the_function(functions: Functions) -> None:
    functions.pipeline.upload(KEY, BODY)
    functions.pipeline.cloud.change_object(INPUT_BUCKET, KEY, refused=400)
    statuses = [functions.upload(build_record(KEY))["recordings"][0]["status"] for _ in range(3)]
    assert statuses == ["failed", "already_done", "already_done"]
    assert {line["level"] for line in functions.log_lines} == {"info"}


@pytest.mark.parametrize("event", [{}, [], {"Records": []}, None, "text"])
def test_event_without_records_is_an_error(functions: Functions, event: Any) -> None:
    with pytest.raises(EventError, match="Records"):
        upload.main_handler(event, SCF_CONTEXT)
    assert functions.pipeline.cloud.requests == []


@pytest.mark.parametrize(
    ("encode", "is_base64"),
    [(str, False), (lambda text: base64.b64encode(text.encode()).decode(), True)],
    ids=["text", "base64"],
)
def test_callback_responds_after_the_last_object_is_written(
    functions: Functions, encode: Callable[[str], str], is_base64: bool
) -> None:
    functions.pipeline.upload_and_ingest(KEY, BODY)
    functions.pipeline.cloud.run_jobs()
    response = functions.notify(encode(build_notification("s1")), isBase64Encoded=is_base64)
    assert response == {
        "isBase64Encoded": False,
        "statusCode": 200,
        "headers": {"Content-Type": "application/json"},
        "body": '{"message": "ok"}',
    }
    assert functions.pipeline.get_text(KEY) == BODY.decode()
    assert functions.pipeline.list_open() == []
    assert functions.log_lines[-1]["event"] == "job_processed"
    assert functions.log_lines[-1]["status"] == "transcribed"


@pytest.mark.parametrize(
    "path",
    ["/", "", "/wrong-token-of-some-length", f"/{CALLBACK_TOKEN}x", f"/{CALLBACK_TOKEN[:-1]}", "/会议",
     f"/{CALLBACK_TOKEN}/x", f"/{CALLBACK_TOKEN.upper()}", "/\ud800", None, 5],
)  # fmt: skip
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_invalid_token_reads_nothing(functions: Functions, path: Any, method: str) -> None:
    body_members = {"isBase64Encoded": True, "httpMethod": method}
    response = functions.notify("not base64, which would be an error", path, **body_members)
    assert (response["statusCode"], response["body"]) == (403, '{"message": "forbidden"}')
    assert functions.pipeline.cloud.requests == []
    assert [line["event"] for line in functions.log_lines] == ["callback_rejected"]


def test_every_token_is_valid_while_it_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = ("a-new-token-of-some-length", CALLBACK_TOKEN)
    functions = Functions(monkeypatch, callback_tokens=tokens)
    paths = [*(f"/{token}" for token in tokens), f"/release/{CALLBACK_TOKEN}/", f"/{','.join(tokens)}"]
    statuses = [functions.notify(build_notification("s404"), path)["statusCode"] for path in paths]
    assert statuses == [200, 200, 200, 403]


REJECTED: dict[str, tuple[dict[str, Any], int]] = {
    "GET": ({"httpMethod": "GET"}, 405),
    "no method": ({"httpMethod": ""}, 405),
    "not XML": ({"body": "not xml"}, 400),
    "empty": ({"body": ""}, 400),
    "no body": ({"body": None}, 400),
    "too large": ({"body": "x" * 7_000_000}, 413),
    "not base64": ({"body": "!", "isBase64Encoded": True}, 400),
    "a path as the job's id": ({"body": json.dumps({"JobsDetail": {"JobId": "../../etc/passwd"}})}, 400),
}


@pytest.mark.parametrize("name", REJECTED)
def test_request_of_another_form_is_rejected(functions: Functions, name: str) -> None:
    members, status = REJECTED[name]
    response = functions.notify(**{"path": f"/{CALLBACK_TOKEN}", **members})
    assert response["statusCode"] == status
    assert functions.pipeline.cloud.requests == []


def test_response_does_not_say_whether_a_job_exists(functions: Functions) -> None:
    functions.pipeline.upload_and_ingest(KEY, BODY)
    functions.pipeline.cloud.run_jobs()
    assert functions.notify(build_notification("s1")) == functions.notify(build_notification("s404"))


@pytest.mark.parametrize("error", [BUSY, ValueError("a secret")], ids=["cloud", "other"])
def test_failed_callback_asks_for_a_retry_and_says_no_more(functions: Functions, error: Exception) -> None:
    functions.pipeline.upload_and_ingest(KEY, BODY)
    functions.pipeline.cloud.run_jobs()
    functions.pipeline.cloud.before("PUT", "transcripts/", raise_error(error))
    response = functions.notify(build_notification("s1"))
    assert (response["statusCode"], response["body"]) == (503, '{"message": "not finished, try again"}')
    assert [line["event"] for line in functions.log_lines] == ["job_failed", "callback_failed"]
    assert "secret" not in str(functions.log_lines)
    assert functions.notify(build_notification("s1"))["statusCode"] == 200
    assert functions.pipeline.get_text(KEY) == BODY.decode()


def test_sweep_returns_and_logs_the_same_json_values(functions: Functions) -> None:
    functions.pipeline.upload_and_ingest(KEY, BODY)
    functions.pipeline.cloud.run_jobs()
    functions.pipeline.put_open(functions.pipeline.build_receipt("gone.mp3", BODY, created_s=1e15))
    functions.pipeline.cloud.clock.advance(DUE_S)
    response = functions.sweep()
    assert response == {"reconciled": {"transcribed": 1}, "errors": 1}
    logged = functions.log_lines[-1]
    assert {name: logged[name] for name in ("event", *response)} == {"event": "sweep_finished", **response}


def test_sweep_with_the_audit_finds_recordings_without_a_receipt(functions: Functions) -> None:
    functions.pipeline.upload(KEY, BODY)
    functions.pipeline.cloud.clock.advance(DUE_S)
    assert functions.sweep()["reconciled"] == {}
    assert functions.pipeline.count_jobs() == 0
    response = functions.sweep("audit")
    assert response == {"reconciled": {}, "errors": 0, "audited": {"submitted": 1}, "audit_errors": 0}
    logged = functions.log_lines[-1]
    assert {name: logged[name] for name in response} == response


def test_sweep_that_ran_out_of_time_does_not_begin_the_audit(functions: Functions) -> None:
    functions.pipeline.upload_and_ingest(KEY, BODY)
    functions.pipeline.cloud.clock.advance(DUE_S)
    functions.pipeline.take_requests()
    functions.pipeline.cloud.remaining_s = 10.0
    assert functions.sweep("audit") == {"reconciled": {}, "errors": 0}
    assert INPUT_BUCKET not in {request.bucket for request in functions.pipeline.take_requests()}


def test_unknown_timer_message_is_an_error(functions: Functions) -> None:
    with pytest.raises(EventError, match="reconcile or audit"):
        functions.sweep("dance")
    assert functions.pipeline.cloud.requests == []
