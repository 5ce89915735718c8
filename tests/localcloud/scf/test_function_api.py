"""The actions on functions: what is accepted, rejected and shown."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from localcloud.api3.models import ApiError
from localcloud.scf.models import CodeStore

pytestmark = pytest.mark.process

ECHO = "def main_handler(event, context):\n    return event\n"
WANTED = {
    "Handler": "index.main_handler",
    "Runtime": "Python3.10",
    "MemorySize": 256,
    "Timeout": 20,
    "InitTimeout": 15,
    "Description": "Scribe 0.1.0, package 3f2a.",
    "Environment": {"Variables": [{"Key": "ENGINE", "Value": "16k_zh"}]},
    "PublicNetConfig": {"PublicNetStatus": "ENABLE", "EipConfig": {"EipStatus": "DISABLE"}},
    "Tags": [{"Key": "app", "Value": "scribe"}],
    "Namespace": "default",
}


def zipped(**files: str) -> bytes:
    created = io.BytesIO()
    with zipfile.ZipFile(created, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return created.getvalue()


def code(content: bytes = zipped(**{"index.py": ECHO})) -> dict[str, str]:
    return {"ZipFile": base64.b64encode(content).decode()}


def test_function_is_shown_as_created(scf: Any) -> None:
    content = zipped(**{"index.py": ECHO})
    name = scf.create(**WANTED, Code=code(content))
    shown = scf.call("GetFunction", FunctionName=name)
    for field in ("Handler", "Runtime", "MemorySize", "Timeout", "InitTimeout", "Description", "Environment"):
        assert shown[field] == WANTED[field], field
    assert (shown["Tags"], shown["Type"], shown["Role"]) == (WANTED["Tags"], "Event", "")
    assert shown["PublicNetConfig"]["PublicNetStatus"] == "ENABLE"
    assert (shown["CodeSize"], shown["StatusReasons"], shown["Triggers"]) == (len(content), [], [])

    address = scf.call("GetFunctionAddress", FunctionName=name)
    assert address["CodeSha256"] == hashlib.sha256(content).hexdigest()
    assert httpx.get(address["Url"], trust_env=False).content == content


def test_update_keeps_absent_settings_and_replaces_environment(scf: Any) -> None:
    name = scf.create(**WANTED)
    scf.call("UpdateFunctionConfiguration", FunctionName=name, Timeout=30)
    shown = scf.call("GetFunction", FunctionName=scf.settled(name))
    assert (shown["Timeout"], shown["MemorySize"]) == (30, 256)
    assert shown["Environment"] == WANTED["Environment"]
    other = {"Variables": [{"Key": "OTHER", "Value": "x"}]}
    scf.call("UpdateFunctionConfiguration", FunctionName=name, Environment=other)
    shown = scf.call("GetFunction", FunctionName=scf.settled(name))
    assert (shown["Timeout"], shown["Environment"]) == (30, other)


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"FunctionName": "1st"}, "InvalidParameter.FunctionName"),
        ({"FunctionName": "ends-with-"}, "InvalidParameter.FunctionName"),
        ({"Handler": "handlers/upload.main_handler"}, "InvalidParameterValue.Handler"),
        ({"Runtime": "Python3.11"}, "InvalidParameterValue.Runtime"),
        ({"MemorySize": 200}, "InvalidParameterValue.Memory"),
        ({"Timeout": 901}, "LimitExceeded.Timeout"),
        ({"InitTimeout": 2}, "LimitExceeded.InitTimeout"),
        ({"Description": "uses (brackets)"}, "InvalidParameterValue.Description"),
        ({"Tags": [{"Key": "project", "Value": "scribe"}]}, "InvalidParameter.ReservedTagKey"),
        ({"Tags": [{"Key": "qcs:app", "Value": "scribe"}]}, "InvalidParameter.ReservedTagKey"),
        ({"Role": "nobody-made-it"}, "ResourceNotFound.Role"),
        ({"Namespace": "other"}, "ResourceNotFound.Namespace"),
        ({"Type": "HTTP"}, "InvalidParameterValue.FunctionType"),
        ({"Code": {}}, "MissingParameter.Code"),
        ({"Code": {"ZipFile": "no base64!"}}, "InvalidParameterValue.ZipFileBase64BinasciiError"),
        ({"Code": code(b"no zip")}, "InvalidParameterValue.ZipFile"),
        ({"Code": code(zipped(**{"../outside.py": ""}))}, "InvalidParameterValue.ZipFile"),
        ({"Code": code(zipped(**{"/outside.py": ""}))}, "InvalidParameterValue.ZipFile"),
        ({"Environment": {"Variables": [{"Key": "1ST", "Value": ""}]}}, "InvalidParameterValue.Environment"),
        (
            {"Environment": {"Variables": [{"Key": "SCF_OWN", "Value": ""}]}},
            "InvalidParameterValue.EnvironmentSystemProtect",
        ),
        (
            {"Environment": {"Variables": [{"Key": "LONG", "Value": "x" * 4093}]}},
            "InvalidParameterValue.EnvironmentExceededLimit",
        ),
        ({"DnsCache": "TRUE"}, "UnknownParameter"),
    ],
)
def test_invalid_function_is_rejected_with_api_code(scf: Any, changes: dict[str, Any], refusal: str) -> None:
    wanted = {"FunctionName": "refused", **WANTED, "Code": code()}
    assert scf.refused("CreateFunction", **{**wanted, **changes}) == refusal
    assert scf.refused("GetFunction", FunctionName="refused") == "ResourceNotFound.Function"


def test_zip_over_50_mb_is_rejected(tmp_path: Path) -> None:
    # Not over HTTP: a client needs seconds to send that much.
    with pytest.raises(ApiError) as refused:
        CodeStore(tmp_path).unpack("A" * (50 * 1024 * 1024 * 4 // 3 + 5))
    assert refused.value.code == "InvalidParameter.RequestTooLarge"


def test_name_is_in_use_until_deletion(scf: Any) -> None:
    name = scf.create()
    again = {"FunctionName": name, **WANTED, "Code": code()}
    assert scf.refused("CreateFunction", **again) == "ResourceInUse.Function"
    scf.call("DeleteFunction", FunctionName=name)
    for action in ("GetFunction", "DeleteFunction", "ListTriggers", "Invoke", "GetFunctionAddress"):
        assert scf.refused(action, FunctionName=name) == "ResourceNotFound.Function"
    scf.call("CreateFunction", **again)
    scf.settled(name)


def test_functions_are_listed_by_page(scf: Any) -> None:
    names = sorted(scf.create(name=f"paged-{number}", wait=False) for number in range(3))
    params = {"SearchKey": "paged-", "Namespace": "default", "Limit": 2}
    pages = [scf.call("ListFunctions", **params, Offset=offset) for offset in (0, 2)]
    assert [page["TotalCount"] for page in pages] == [3, 3]
    assert [each["FunctionName"] for page in pages for each in page["Functions"]] == names
    assert [each["Name"] for each in scf.call("ListNamespaces")["Namespaces"]] == ["default"]


def test_changes_are_rejected_during_deployment(
    start_cloud: Callable[..., Any], make_scf: Callable[[Any], Any]
) -> None:
    slow = make_scf(start_cloud("--deploy-delay-ms", "60000"))
    name = slow.create(wait=False)
    assert slow.call("GetFunction", FunctionName=name)["Status"] == "Creating"
    timer = {"FunctionName": name, "Type": "timer", "TriggerName": "t", "TriggerDesc": "0 0 0 1 1 * *"}
    for action, params in (
        ("CreateTrigger", timer),
        ("DeleteTrigger", timer),
        ("UpdateFunctionCode", {"FunctionName": name, "Code": code()}),
        ("UpdateFunctionConfiguration", {"FunctionName": name, "Timeout": 9}),
    ):
        assert slow.refused(action, **params) == f"FailedOperation.{action}"
    for action in ("Invoke", "DeleteFunction"):
        assert slow.refused(action, FunctionName=name) == "FailedOperation.FunctionStatusError"


def test_code_without_handler_module_fails_with_reason(scf: Any) -> None:
    name = scf.create(wait=False, Handler="upload.main_handler")
    scf.settled(name, "CreateFailed")
    (reason,) = scf.call("GetFunction", FunctionName=name)["StatusReasons"]
    assert "upload.py" in reason["ErrorMessage"]
    assert scf.refused("Invoke", FunctionName=name) == "FailedOperation.FunctionStatusError"
    scf.call("DeleteFunction", FunctionName=name)


def test_old_code_runs_after_a_failed_update(scf: Any) -> None:
    name = scf.create("def main_handler(event, context):\n    return 'old'\n")
    before = scf.call("GetFunctionAddress", FunctionName=name)
    scf.call("UpdateFunctionCode", FunctionName=name, Code=code(zipped(**{"elsewhere.py": ECHO})))
    scf.settled(name, "UpdateFailed")
    assert scf.call("GetFunctionAddress", FunctionName=name) == before
    assert scf.invoke(name)["RetMsg"] == '"old"'
    scf.call("UpdateFunctionCode", FunctionName=name, Code=code())
    assert scf.invoke(scf.settled(name), 1)["RetMsg"] == "1"


def test_other_region_is_rejected(cloud: Any, make_api_client: Callable[..., Any]) -> None:
    elsewhere = make_api_client(cloud, region="ap-shanghai")
    assert elsewhere.error_code("scf", "ListFunctions") == "UnsupportedRegion"
