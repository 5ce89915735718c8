"""Credentials with policies: each request needs exactly its permission."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeAlias

import httpx
import pytest

from localcloud.auth.policy import PolicyFileError, load_policy_file
from tests.localcloud.clients import ApiClient, MakeApiClient, MakeRaw, RawClient
from tests.localcloud.functions import write_functions
from tests.localcloud.speech_queue import IssuedKey, build_job_body
from tests.localcloud.stand_in import StandIn, StartCloud, get_start_error

pytestmark = pytest.mark.process

REGION, APPID, UIN = "ap-guangzhou", "1250000000", "100000000001"
PASS_ROLE = ("cam:PassRole", f"qcs::cam::uin/{UIN}:roleName/CI_QCSRole")
ENGLISH = "<EngineModelType>16k_en</EngineModelType>"
Policy: TypeAlias = Mapping[str, Any]
VERSIONING = b"<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>"
TAGGING = b"<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>"
DELETE = b"<Delete><Object><Key>call.mp3</Key></Object></Delete>"


def build_policy(*statements: tuple[str, str], effect: str = "allow") -> Policy:
    return {
        "version": "2.0",
        "statement": [
            {"effect": effect, "action": [f"name/{action}"], "resource": [resource]}
            for action, resource in statements
        ],
    }


ALLOW_ALL = {"version": "2.0", "statement": [{"effect": "allow", "action": "*", "resource": ["*"]}]}


class LimitedClient:
    """Requests with a new credential that has these policies, over the connection of `raw`."""

    rows_before: ClassVar[int] = 0

    def __init__(self, raw: RawClient, *policies: Policy) -> None:
        self.raw = raw
        self.key: IssuedKey = raw.cloud.admin("POST", "keys", {"policies": policies})

    def send(
        self,
        method: str,
        host: str,
        path: str = "/",
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
    ) -> httpx.Response:
        return self.raw.send(
            *(method, host, path, query),
            {**(headers or {}), "x-cos-security-token": self.key["token"]},
            body,
            secret_id=self.key["secret_id"],
            secret_key=self.key["secret_key"],
        )

    def list_required_permissions(self) -> list[tuple[str, str]]:
        """The permissions in the access log of this credential's requests."""
        rows = self.raw.cloud.admin("GET", f"requests?since={LimitedClient.rows_before}")
        LimitedClient.rows_before = rows[-1]["number"]
        return [(row["action"], row["resource"]) for row in rows if row["secret_id"] == self.key["secret_id"]]


class MakeLimited(Protocol):
    """Creates a client with these policies."""

    def __call__(self, *policies: Policy) -> LimitedClient: ...


@pytest.fixture
def limited(raw: RawClient) -> MakeLimited:
    return lambda *policies: LimitedClient(raw, *policies)


def is_denied(response: httpx.Response, status: int) -> bool:
    # The response to a HEAD has no body with a code.
    has_code = "<Code>AccessDenied</Code>" in response.text or response.request.method == "HEAD"
    return response.status_code == status and has_code


def check_permissions(
    limited: MakeLimited,
    request: Callable[[LimitedClient], httpx.Response],
    permissions: list[tuple[str, str]],
    status: int,
) -> None:
    """Check that a request needs exactly these permissions, and fails if one is missing or denied."""
    client = limited(build_policy(*permissions))
    assert not is_denied(request(client), status)
    assert client.list_required_permissions() == permissions[:1]
    for denied in permissions:
        others = [permission for permission in permissions if permission != denied]
        without = [build_policy(*others)] if others else []
        assert is_denied(request(limited(*without)), status)
        assert is_denied(request(limited(ALLOW_ALL, build_policy(denied, effect="deny"))), status)


OBJECT_CALLS: list[tuple[str, str, dict[str, str], bytes]] = [
    ("HeadObject", "HEAD", {}, b""),
    ("GetObject", "GET", {}, b""),
    ("PutObject", "PUT", {}, b"words"),
    ("DeleteObject", "DELETE", {}, b""),
    ("GetObjectTagging", "GET", {"tagging": ""}, b""),
    ("PutObjectTagging", "PUT", {"tagging": ""}, TAGGING),
    ("DeleteObjectTagging", "DELETE", {"tagging": ""}, b""),
    ("InitiateMultipartUpload", "POST", {"uploads": ""}, b""),
    ("UploadPart", "PUT", {"partNumber": "1", "uploadId": "u"}, b"words"),
    ("ListParts", "GET", {"uploadId": "u"}, b""),
    ("CompleteMultipartUpload", "POST", {"uploadId": "u"}, b"<x/>"),
    ("AbortMultipartUpload", "DELETE", {"uploadId": "u"}, b""),
    ("*", "POST", {}, b""),
]
BUCKET_CALLS: list[tuple[str, str, dict[str, str], bytes]] = [
    ("HeadBucket", "HEAD", {}, b""),
    ("PutBucket", "PUT", {}, b""),
    ("GetBucket", "GET", {"prefix": "calls/"}, b""),
    ("GetBucketLocation", "GET", {"location": ""}, b""),
    ("GetBucketVersioning", "GET", {"versioning": ""}, b""),
    ("PutBucketVersioning", "PUT", {"versioning": ""}, VERSIONING),
    ("GetBucketObjectVersions", "GET", {"versions": ""}, b""),
    ("ListMultipartUploads", "GET", {"uploads": ""}, b""),
    ("DeleteMultipleObjects", "POST", {"delete": ""}, DELETE),
    ("DeleteBucket", "DELETE", {}, b""),
]


@pytest.mark.parametrize(("name", "method", "query", "body"), OBJECT_CALLS, ids=lambda part: str(part)[:24])
def test_object_request_needs_its_action_on_the_key(
    limited: MakeLimited,
    cloud: StandIn,
    bucket: str,
    name: str,
    method: str,
    query: dict[str, str],
    body: bytes,
) -> None:
    def request(key: LimitedClient) -> httpx.Response:
        return key.send(method, cloud.bucket_host(bucket), "/calls/a b.mp3", query, body=body)

    resource = f"qcs::cos:{REGION}:uid/{APPID}:{bucket}/calls/a b.mp3"
    check_permissions(limited, request, [(f"cos:{name}", resource)], 403)


@pytest.mark.parametrize(("name", "method", "query", "body"), BUCKET_CALLS, ids=lambda part: str(part)[:24])
def test_bucket_request_needs_its_action_on_the_bucket(
    limited: MakeLimited,
    cloud: StandIn,
    bucket: str,
    name: str,
    method: str,
    query: dict[str, str],
    body: bytes,
) -> None:
    def request(key: LimitedClient) -> httpx.Response:
        return key.send(method, cloud.bucket_host(bucket), "/", query, body=body)

    check_permissions(limited, request, [(f"cos:{name}", f"qcs::cos:{REGION}:uid/{APPID}:{bucket}/")], 403)


def test_listing_needs_the_whole_bucket(limited: MakeLimited, cloud: StandIn, bucket: str) -> None:
    resource = f"qcs::cos:{REGION}:uid/{APPID}:{bucket}"
    request = ("GET", cloud.bucket_host(bucket), "/", {"prefix": "calls/"})
    assert limited(build_policy(("cos:GetBucket", f"{resource}/*"))).send(*request).status_code == 200
    assert is_denied(limited(build_policy(("cos:GetBucket", f"{resource}/calls/*"))).send(*request), 403)


def test_list_of_buckets_needs_resource_star(limited: MakeLimited, cloud: StandIn) -> None:
    check_permissions(
        limited, lambda key: key.send("GET", f"cos.{REGION}.myqcloud.com"), [("cos:GetService", "*")], 403
    )


def test_copy_needs_read_permission_on_its_source(
    limited: MakeLimited, cloud: StandIn, raw: RawClient, bucket: str
) -> None:
    host = cloud.bucket_host(bucket)
    raw.send("PUT", host, "/from.mp3", body=b"words")
    resource = f"qcs::cos:{REGION}:uid/{APPID}:{bucket}"
    check_permissions(
        limited,
        lambda key: key.send("PUT", host, "/to.mp3", headers={"x-cos-copy-source": f"{host}/from.mp3"}),
        [("cos:PutObject", f"{resource}/to.mp3"), ("cos:GetObject", f"{resource}/from.mp3")],
        403,
    )


@pytest.mark.parametrize(
    ("name", "method", "path"),
    [
        ("DescribeAsrJobs", "GET", "/asr_jobs"),
        ("DescribeAsrJob", "GET", "/asr_jobs/s0"),
        ("DescribeMediaJobs", "GET", "/jobs"),
        ("DescribeMediaJob", "GET", "/jobs/s0"),
        ("CancelMediaJob", "PUT", "/jobs/s0"),
        ("DescribeAsrQueues", "GET", "/asrqueue"),
        ("UpdateAsrQueue", "PUT", "/asrqueue/p0"),
        ("CreateAsrBucket", "POST", "/asrbucket"),
        ("DeleteAsrBucket", "DELETE", "/asrbucket"),
        ("DescribeAsrVocabularyTables", "GET", "/asrhotvocabtable"),
        ("DescribeAsrVocabularyTable", "GET", "/asrhotvocabtable/v0"),
        ("CreateAsrVocabularyTable", "POST", "/asrhotvocabtable"),
        ("UpdateAsrVocabularyTable", "PUT", "/asrhotvocabtable"),
        ("DeleteAsrVocabularyTable", "DELETE", "/asrhotvocabtable/v0"),
        ("*", "PUT", "/asrhotvocabtable/v0"),
    ],
)
def test_ci_request_needs_its_action_on_the_bucket(
    limited: MakeLimited, cloud: StandIn, bucket: str, name: str, method: str, path: str
) -> None:
    resource = f"qcs::ci:{REGION}:uid/{APPID}:bucket/{bucket}/"
    check_permissions(
        limited,
        lambda key: key.send(method, cloud.ci_host(bucket), path),
        [(f"ci:{name}", resource)],
        401,
    )


@pytest.mark.parametrize(
    ("name", "path"), [("DescribeAsrBuckets", "/asrbucket"), ("DescribeAiProcessBucket", "/ai_bucket")]
)
def test_ci_request_on_all_buckets_needs_resource_star(limited: MakeLimited, name: str, path: str) -> None:
    host = f"ci.{REGION}.myqcloud.com"
    check_permissions(limited, lambda key: key.send("GET", host, path), [(f"ci:{name}", "*")], 401)
    bucket_only = build_policy((f"ci:{name}", f"qcs::ci:{REGION}:uid/{APPID}:bucket/*"))
    assert is_denied(limited(bucket_only).send("GET", host, path), 401)


@pytest.mark.parametrize("path", ["/asr_jobs", "/jobs"])
def test_submit_needs_pass_role(limited: MakeLimited, cloud: StandIn, speech_bucket: str, path: str) -> None:
    resource = f"qcs::ci:{REGION}:uid/{APPID}:bucket/{speech_bucket}/"
    body = build_job_body(speech_bucket, speech=ENGLISH)
    check_permissions(
        limited,
        lambda key: key.send("POST", cloud.ci_host(speech_bucket), path, body=body),
        [("ci:CreateAsrJobs", resource), PASS_ROLE],
        401,
    )


def test_job_without_service_role_is_rejected(
    start_cloud: StartCloud, make_raw: MakeRaw, make_api_client: MakeApiClient
) -> None:
    cloud = start_cloud()
    raw, bucket = make_raw(cloud), f"audio-{APPID}"
    raw.send("PUT", cloud.bucket_host(bucket))
    raw.send("PUT", cloud.bucket_host(bucket), "/call.mp3", body=b"words")
    raw.send("POST", cloud.ci_host(bucket), "/asrbucket")
    submit = ("POST", cloud.ci_host(bucket), "/asr_jobs")
    body = build_job_body(bucket, speech=ENGLISH)
    assert raw.send(*submit, body=body).status_code == 200
    make_api_client(cloud).call("cam", "DeleteRole", {"RoleName": "CI_QCSRole"})
    response = raw.send(*submit, body=body)
    assert (response.status_code, "<Code>CIRoleNotExist</Code>" in response.text) == (400, True)


def test_api_requests_are_authorized(cloud: StandIn, make_api_client: MakeApiClient) -> None:
    def client(*policies: Policy) -> ApiClient:
        return make_api_client(cloud, cloud.admin("POST", "keys", {"policies": policies}))

    assert client().error_code("cam", "GetRole", {"RoleName": "CI_QCSRole"}) == "UnauthorizedOperation"
    role_only = build_policy(("cam:GetRole", f"qcs::cam::uin/{UIN}:roleName/CI_QCSRole"))
    assert (
        client(role_only).error_code("cam", "GetRole", {"RoleName": "CI_QCSRole"}) == "UnauthorizedOperation"
    )
    granted = client(build_policy(("cam:GetRole", "*"), ("sts:GetCallerIdentity", "*")))
    assert granted.call("cam", "GetRole", {"RoleName": "CI_QCSRole"})["RoleInfo"]
    identity = granted.call("sts", "GetCallerIdentity")
    assert (identity["Type"], identity["AccountId"], identity["UserId"]) == ("CAMUser", UIN, "100000000002")


NAMESPACE = f"qcs::scf:{REGION}:uin/{UIN}:namespace/default"


@pytest.mark.parametrize(
    ("action", "resource", "other"),
    [
        ("CreateFunction", NAMESPACE, f"{NAMESPACE}/function/absent"),
        ("GetFunction", f"{NAMESPACE}/function/absent", NAMESPACE),
    ],
)
def test_create_function_needs_the_namespace_resource(
    cloud: StandIn, make_api_client: MakeApiClient, action: str, resource: str, other: str
) -> None:
    codes = {}
    for allowed in (resource, other):
        key = cloud.admin("POST", "keys", {"policies": [build_policy((f"scf:{action}", allowed))]})
        codes[allowed] = make_api_client(cloud, key).error_code("scf", action, {"FunctionName": "absent"})
    assert codes[other] == "UnauthorizedOperation"
    assert codes[resource] != "UnauthorizedOperation"


def test_credential_with_invalid_policy_is_not_issued(cloud: StandIn) -> None:
    response = cloud.send_admin("POST", "keys", json={"policies": [{"version": "1"}]})
    assert (response.status_code, "version" in response.json()["error"]) == (400, True)


READER = """
from signed_requests import send


def main_handler(event, context):
    return send("GET", event["host"], event["path"])
"""


def test_policies_option_limits_functions(tmp_path: Path, start_cloud: StartCloud, make_raw: MakeRaw) -> None:
    write_functions(tmp_path, {"limited": READER, "free": READER})
    readable = f"qcs::cos:{REGION}:uid/{APPID}:audio-{APPID}/in/*"
    (tmp_path / "policies.json").write_text(
        json.dumps({"limited": build_policy(("cos:GetObject", readable))})
    )
    cloud = start_cloud("--functions", str(tmp_path), "--policies", str(tmp_path / "policies.json"))
    raw, host = make_raw(cloud), cloud.bucket_host(f"audio-{APPID}")
    raw.send("PUT", host)
    for path in ("/in/a", "/out/a"):
        raw.send("PUT", host, path, body=b"words")

    def read(function: str, path: str) -> int:
        return int(
            cloud.admin("POST", f"functions/{function}/invoke", {"host": host, "path": path})["result"]
        )

    assert [read("limited", "/in/a"), read("limited", "/out/a")] == [200, 403]
    assert [read("free", "/in/a"), read("free", "/out/a")] == [200, 200]


def test_invalid_policy_file_stops_the_start(tmp_path: Path) -> None:
    file = tmp_path / "policies.json"
    file.write_text('{"upload": {"version": "2.0"}}')
    error = get_start_error(tmp_path / "data", "--policies", str(file))
    assert error.startswith(f"localcloud cannot start: {file} holds a document that CAM does not accept: ")


@pytest.mark.parametrize("content", ["{", "[]"])
def test_policy_file_must_be_a_json_object(tmp_path: Path, content: str) -> None:
    (tmp_path / "policies.json").write_text(content)
    with pytest.raises(PolicyFileError, match=r"policies\.json"):
        load_policy_file(tmp_path / "policies.json")
