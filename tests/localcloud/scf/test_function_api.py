"""The actions on functions: what is accepted, rejected and shown."""

from __future__ import annotations

import base64
import hashlib
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from localcloud.api3.models import ApiError
from localcloud.scf.models import CodeStore
from tests.helpers.loopback import send_request
from tests.localcloud.clients import MakeApiClient
from tests.localcloud.functions import ECHO
from tests.localcloud.scf.client import MakeScf, Scf, build_code, build_zip
from tests.localcloud.stand_in import StandIn, StartCloud

pytestmark = pytest.mark.process

SETTINGS: dict[str, Any] = {
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


def build_code_parameter(content: bytes) -> dict[str, str]:
    return {"ZipFile": base64.b64encode(content).decode()}


def test_function_is_shown_as_created(scf: Scf) -> None:
    content = build_zip({"index.py": ECHO})
    name = scf.create(**SETTINGS, Code=build_code_parameter(content))
    function = scf.get_function(name)
    for field in ("Handler", "Runtime", "MemorySize", "Timeout", "InitTimeout", "Description", "Environment"):
        assert function[field] == SETTINGS[field], field
    assert (function["Tags"], function["Type"], function["Role"]) == (SETTINGS["Tags"], "Event", "")
    assert function["PublicNetConfig"]["PublicNetStatus"] == "ENABLE"
    assert (function["CodeSize"], function["StatusReasons"], function["Triggers"]) == (len(content), [], [])

    address = scf.call("GetFunctionAddress", FunctionName=name)
    assert address["CodeSha256"] == hashlib.sha256(content).hexdigest()
    assert send_request("GET", address["Url"]).content == content


def test_url_of_the_code_is_signed_and_expires(scf: Scf) -> None:
    name = scf.create(**SETTINGS)
    url = httpx.URL(scf.call("GetFunctionAddress", FunctionName=name)["Url"])
    params = dict(url.params)
    assert 590 < int(params["expires"]) - time.time() <= 600

    def get(**changes: str) -> int:
        changed = {key: value for key, value in {**params, **changes}.items() if value}
        return send_request("GET", url.copy_with(params=changed)).status_code

    assert get() == 200
    assert get(expires=str(int(params["expires"]) + 1)) == 403
    assert get(expires="") == get(signature="") == get(signature="x") == 403
    other = url.copy_with(path="/-/requests")
    assert send_request("GET", other).status_code == 403
    assert send_request("DELETE", url.copy_with(path="/-/jobs")).status_code == 403


def test_update_keeps_absent_settings_and_replaces_environment(scf: Scf) -> None:
    name = scf.create(**SETTINGS)
    scf.call("UpdateFunctionConfiguration", FunctionName=name, Timeout=30)
    function = scf.get_function(scf.wait_settled(name))
    assert (function["Timeout"], function["MemorySize"]) == (30, 256)
    assert function["Environment"] == SETTINGS["Environment"]
    other = {"Variables": [{"Key": "OTHER", "Value": "x"}]}
    scf.call("UpdateFunctionConfiguration", FunctionName=name, Environment=other)
    function = scf.get_function(scf.wait_settled(name))
    assert (function["Timeout"], function["Environment"]) == (30, other)


@pytest.mark.parametrize(
    ("changes", "code"),
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
        ({"Role": "absent-role"}, "ResourceNotFound.Role"),
        ({"Namespace": "other"}, "ResourceNotFound.Namespace"),
        ({"Type": "HTTP"}, "InvalidParameterValue.FunctionType"),
        ({"Code": {}}, "MissingParameter.Code"),
        ({"Code": {"ZipFile": "no base64!"}}, "InvalidParameterValue.ZipFileBase64BinasciiError"),
        ({"Code": build_code_parameter(b"no zip")}, "InvalidParameterValue.ZipFile"),
        ({"Code": build_code({"../outside.py": ""})}, "InvalidParameterValue.ZipFile"),
        ({"Code": build_code({"/outside.py": ""})}, "InvalidParameterValue.ZipFile"),
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
def test_invalid_function_is_rejected_with_api_code(scf: Scf, changes: dict[str, Any], code: str) -> None:
    params = {"FunctionName": "invalid", **SETTINGS, "Code": build_code({"index.py": ECHO})}
    assert scf.error_code("CreateFunction", **{**params, **changes}) == code
    assert scf.error_code("GetFunction", FunctionName="invalid") == "ResourceNotFound.Function"


def test_zip_over_50_mb_is_rejected(tmp_path: Path) -> None:
    # Not over HTTP: a client needs seconds to send that much.
    with pytest.raises(ApiError) as caught:
        CodeStore(tmp_path).unpack("A" * (50 * 1024 * 1024 * 4 // 3 + 5))
    assert caught.value.code == "InvalidParameter.RequestTooLarge"


def test_name_is_in_use_until_deletion(scf: Scf) -> None:
    name = scf.create()
    same_name = {"FunctionName": name, **SETTINGS, "Code": build_code({"index.py": ECHO})}
    assert scf.error_code("CreateFunction", **same_name) == "ResourceInUse.Function"
    scf.call("DeleteFunction", FunctionName=name)
    for action in ("GetFunction", "DeleteFunction", "ListTriggers", "Invoke", "GetFunctionAddress"):
        assert scf.error_code(action, FunctionName=name) == "ResourceNotFound.Function"
    scf.call("CreateFunction", **same_name)
    scf.wait_settled(name)


def test_functions_are_listed_by_page(scf: Scf) -> None:
    names = sorted(scf.create(name=f"paged-{number}", wait=False) for number in range(3))
    params = {"SearchKey": "paged-", "Namespace": "default", "Limit": 2}
    pages = [scf.call("ListFunctions", **params, Offset=offset) for offset in (0, 2)]
    assert [page["TotalCount"] for page in pages] == [3, 3]
    assert [function["FunctionName"] for page in pages for function in page["Functions"]] == names
    assert [namespace["Name"] for namespace in scf.call("ListNamespaces")["Namespaces"]] == ["default"]


def test_changes_are_rejected_during_deployment(start_cloud: StartCloud, make_scf: MakeScf) -> None:
    slow = make_scf(start_cloud("--deploy-delay-ms", "60000"))
    name = slow.create(wait=False)
    assert slow.get_function(name)["Status"] == "Creating"
    timer = {"FunctionName": name, "Type": "timer", "TriggerName": "t", "TriggerDesc": "0 0 0 1 1 * *"}
    for action, params in (
        ("CreateTrigger", timer),
        ("DeleteTrigger", timer),
        ("UpdateFunctionCode", {"FunctionName": name, "Code": build_code({"index.py": ECHO})}),
        ("UpdateFunctionConfiguration", {"FunctionName": name, "Timeout": 9}),
    ):
        assert slow.error_code(action, **params) == f"FailedOperation.{action}"
    for action in ("Invoke", "DeleteFunction"):
        assert slow.error_code(action, FunctionName=name) == "FailedOperation.FunctionStatusError"


def test_code_without_handler_module_fails_with_reason(scf: Scf) -> None:
    name = scf.create(wait=False, Handler="upload.main_handler")
    scf.wait_settled(name, "CreateFailed")
    (reason,) = scf.get_function(name)["StatusReasons"]
    assert "upload.py" in reason["ErrorMessage"]
    assert scf.error_code("Invoke", FunctionName=name) == "FailedOperation.FunctionStatusError"
    scf.call("DeleteFunction", FunctionName=name)


def test_old_code_runs_after_a_failed_update(scf: Scf) -> None:
    name = scf.create("def main_handler(event, context):\n    return 'old'\n")
    before = scf.call("GetFunctionAddress", FunctionName=name)["CodeSha256"]
    scf.update_code(name, {"other.py": ECHO})
    scf.wait_settled(name, "UpdateFailed")
    assert scf.call("GetFunctionAddress", FunctionName=name)["CodeSha256"] == before
    assert scf.invoke(name)["RetMsg"] == '"old"'
    scf.update_code(name, {"index.py": ECHO})
    assert scf.invoke(scf.wait_settled(name), 1)["RetMsg"] == "1"


def test_other_region_is_rejected(cloud: StandIn, make_api_client: MakeApiClient) -> None:
    other_region = make_api_client(cloud, region="ap-shanghai")
    assert other_region.error_code("scf", "ListFunctions") == "UnsupportedRegion"
