"""Credentials with policies: each request needs exactly its permission."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest

from localcloud.auth.policy import PolicyFileError, load_policy_file

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[3]
REGION, APPID, UIN = "ap-guangzhou", "1250000000", "100000000001"
PASS_ROLE = ("cam:PassRole", f"qcs::cam::uin/{UIN}:roleName/CI_QCSRole")
JOB = (
    "<Request><Tag>SpeechRecognition</Tag><Input><Object>call.mp3</Object></Input><Operation><SpeechRecognition>"
    "<EngineModelType>16k_en</EngineModelType></SpeechRecognition><Output><Region>ap-guangzhou</Region>"
    "<Bucket>{bucket}</Bucket><Object>out.txt</Object></Output></Operation></Request>"
)
VERSIONING = b"<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>"
TAGGING = b"<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>"
DELETE = b"<Delete><Object><Key>call.mp3</Key></Object></Delete>"


def document(*statements: tuple[str, str], effect: str = "allow") -> dict[str, Any]:
    return {
        "version": "2.0",
        "statement": [
            {"effect": effect, "action": [f"name/{action}"], "resource": [resource]}
            for action, resource in statements
        ],
    }


ALL = document(("*", "*"))
ALL["statement"][0]["action"] = "*"


class LimitedClient:
    """Requests with a new credential that has these policies, over the connection of `raw`."""

    rows_before: ClassVar[int] = 0

    def __init__(self, raw: Any, *documents: Any) -> None:
        self.raw, self.own = raw, f"{raw.cloud.endpoint}/-"
        self.key = raw.client.post(f"{self.own}/keys", json={"policies": documents}).json()

    def send(self, *request: Any, headers: Any = None, **parts: Any) -> httpx.Response:
        response: httpx.Response = self.raw.send(
            *request,
            headers={**(headers or {}), "x-cos-security-token": self.key["token"]},
            secret_id=self.key["secret_id"],
            secret_key=self.key["secret_key"],
            **parts,
        )
        return response

    def needed(self) -> list[tuple[str, str]]:
        """The permissions in the access log of this credential's requests."""
        rows = self.raw.client.get(f"{self.own}/requests?since={LimitedClient.rows_before}").json()
        LimitedClient.rows_before = rows[-1]["number"]
        return [(row["action"], row["resource"]) for row in rows if row["secret_id"] == self.key["secret_id"]]


@pytest.fixture
def limited(raw: Any) -> Callable[..., LimitedClient]:
    return lambda *documents: LimitedClient(raw, *documents)


def is_denied(response: httpx.Response, status: int) -> bool:
    """The response to a HEAD has no body with a code."""
    code = "<Code>AccessDenied</Code>" in response.text or response.request.method == "HEAD"
    return response.status_code == status and code


def check(limited: Any, request: Any, permissions: list[tuple[str, str]], status: int) -> None:
    """Check that a request needs exactly these permissions, and fails if one is missing or denied."""
    client = limited(document(*permissions))
    assert not is_denied(request(client), status)
    assert client.needed() == permissions[:1]
    for denied in permissions:
        others = [permission for permission in permissions if permission != denied]
        without = [document(*others)] if others else []
        assert is_denied(request(limited(*without)), status)
        assert is_denied(request(limited(ALL, document(denied, effect="deny"))), status)


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
    limited: Any, cloud: Any, bucket: str, name: str, method: str, query: dict[str, str], body: bytes
) -> None:
    def request(key: LimitedClient) -> httpx.Response:
        return key.send(method, cloud.bucket_host(bucket), "/calls/a b.mp3", query, body=body)

    resource = f"qcs::cos:{REGION}:uid/{APPID}:{bucket}/calls/a b.mp3"
    check(limited, request, [(f"cos:{name}", resource)], 403)


@pytest.mark.parametrize(("name", "method", "query", "body"), BUCKET_CALLS, ids=lambda part: str(part)[:24])
def test_bucket_request_needs_its_action_on_the_bucket(
    limited: Any, cloud: Any, bucket: str, name: str, method: str, query: dict[str, str], body: bytes
) -> None:
    def request(key: LimitedClient) -> httpx.Response:
        return key.send(method, cloud.bucket_host(bucket), "/", query, body=body)

    check(limited, request, [(f"cos:{name}", f"qcs::cos:{REGION}:uid/{APPID}:{bucket}/")], 403)


def test_listing_needs_the_whole_bucket(limited: Any, cloud: Any, bucket: str) -> None:
    resource = f"qcs::cos:{REGION}:uid/{APPID}:{bucket}"
    request = ("GET", cloud.bucket_host(bucket), "/", {"prefix": "calls/"})
    assert limited(document(("cos:GetBucket", f"{resource}/*"))).send(*request).status_code == 200
    assert is_denied(limited(document(("cos:GetBucket", f"{resource}/calls/*"))).send(*request), 403)


def test_list_of_buckets_needs_resource_star(limited: Any, cloud: Any) -> None:
    check(limited, lambda key: key.send("GET", f"cos.{REGION}.myqcloud.com"), [("cos:GetService", "*")], 403)


def test_copy_needs_read_permission_on_its_source(limited: Any, cloud: Any, raw: Any, bucket: str) -> None:
    host = cloud.bucket_host(bucket)
    raw.send("PUT", host, "/from.mp3", body=b"words")
    resource = f"qcs::cos:{REGION}:uid/{APPID}:{bucket}"
    check(
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
        ("*", "GET", "/asrhotvocabtable"),
    ],
)
def test_ci_request_needs_its_action_on_the_bucket(
    limited: Any, cloud: Any, bucket: str, name: str, method: str, path: str
) -> None:
    resource = f"qcs::ci:{REGION}:uid/{APPID}:bucket/{bucket}/"
    check(
        limited,
        lambda key: key.send(method, cloud.ci_host(bucket), path),
        [(f"ci:{name}", resource)],
        401,
    )


@pytest.mark.parametrize(
    ("name", "path"), [("DescribeAsrBuckets", "/asrbucket"), ("DescribeAiProcessBucket", "/ai_bucket")]
)
def test_ci_request_on_all_buckets_needs_resource_star(limited: Any, name: str, path: str) -> None:
    host = f"ci.{REGION}.myqcloud.com"
    check(limited, lambda key: key.send("GET", host, path), [(f"ci:{name}", "*")], 401)
    of_bucket = document((f"ci:{name}", f"qcs::ci:{REGION}:uid/{APPID}:bucket/*"))
    assert is_denied(limited(of_bucket).send("GET", host, path), 401)


@pytest.mark.parametrize("path", ["/asr_jobs", "/jobs"])
def test_submit_needs_pass_role(limited: Any, cloud: Any, speech_bucket: str, path: str) -> None:
    resource = f"qcs::ci:{REGION}:uid/{APPID}:bucket/{speech_bucket}/"
    body = JOB.format(bucket=speech_bucket).encode()
    check(
        limited,
        lambda key: key.send("POST", cloud.ci_host(speech_bucket), path, body=body),
        [("ci:CreateAsrJobs", resource), PASS_ROLE],
        401,
    )


def test_job_without_service_role_is_rejected(
    start_cloud: Callable[..., Any], make_raw: Callable[..., Any], make_api_client: Callable[..., Any]
) -> None:
    cloud = start_cloud()
    raw, bucket = make_raw(cloud), f"audio-{APPID}"
    raw.send("PUT", cloud.bucket_host(bucket))
    raw.send("PUT", cloud.bucket_host(bucket), "/call.mp3", body=b"words")
    raw.send("POST", cloud.ci_host(bucket), "/asrbucket")
    submit = ("POST", cloud.ci_host(bucket), "/asr_jobs")
    body = JOB.format(bucket=bucket).encode()
    assert raw.send(*submit, body=body).status_code == 200
    make_api_client(cloud).call("cam", "DeleteRole", {"RoleName": "CI_QCSRole"})
    response = raw.send(*submit, body=body)
    assert (response.status_code, "<Code>CIRoleNotExist</Code>" in response.text) == (400, True)


def test_api_requests_are_authorized(cloud: Any, make_api_client: Any) -> None:
    def client(*documents: Any) -> Any:
        return make_api_client(cloud, cloud.admin("POST", "keys", {"policies": documents}))

    assert client().error_code("cam", "GetRole", {"RoleName": "CI_QCSRole"}) == "UnauthorizedOperation"
    on_role = document(("cam:GetRole", f"qcs::cam::uin/{UIN}:roleName/CI_QCSRole"))
    assert client(on_role).error_code("cam", "GetRole", {"RoleName": "CI_QCSRole"}) == "UnauthorizedOperation"
    granted = client(document(("cam:GetRole", "*"), ("sts:GetCallerIdentity", "*")))
    assert granted.call("cam", "GetRole", {"RoleName": "CI_QCSRole"})["RoleInfo"]
    identity = granted.call("sts", "GetCallerIdentity")
    assert (identity["Type"], identity["AccountId"], identity["UserId"]) == ("CAMUser", UIN, "100000000002")


def test_create_function_needs_the_namespace_resource(cloud: Any, make_api_client: Any) -> None:
    namespace = f"qcs::scf:{REGION}:uin/{UIN}:namespace/default"
    for action, resource, other in (
        ("CreateFunction", namespace, f"{namespace}/function/absent"),
        ("GetFunction", f"{namespace}/function/absent", namespace),
    ):
        refusals = {}
        for granted in (resource, other):
            key = cloud.admin("POST", "keys", {"policies": [document((f"scf:{action}", granted))]})
            refusals[granted] = make_api_client(cloud, key).error_code(
                "scf", action, {"FunctionName": "absent"}
            )
        assert refusals[other] == "UnauthorizedOperation"
        assert refusals[resource] != "UnauthorizedOperation"


def test_credential_with_invalid_policy_is_not_issued(cloud: Any) -> None:
    response = httpx.post(f"{cloud.endpoint}/-/keys", json={"policies": [{"version": "1"}]}, trust_env=False)
    assert (response.status_code, "version" in response.json()["error"]) == (400, True)


LOOKS = """
import hashlib, hmac, http.client, os, time
from urllib.parse import quote


def main_handler(event, context):
    headers = {"host": event["host"], "x-cos-security-token": os.environ["TENCENTCLOUD_SESSIONTOKEN"]}
    times = f"{int(time.time()) - 60};{int(time.time()) + 600}"
    line = "&".join(f"{name}={quote(value, safe='-_~.')}" for name, value in sorted(headers.items()))
    text = hashlib.sha1(f"get\\n{event['path']}\\n\\n{line}\\n".encode()).hexdigest()
    key = hmac.new(os.environ["TENCENTCLOUD_SECRETKEY"].encode(), times.encode(), "sha1").hexdigest()
    sign = hmac.new(key.encode(), f"sha1\\n{times}\\n{text}\\n".encode(), "sha1").hexdigest()
    headers["authorization"] = (
        f"q-sign-algorithm=sha1&q-ak={os.environ['TENCENTCLOUD_SECRETID']}&q-sign-time={times}&q-key-time={times}"
        f"&q-header-list={';'.join(sorted(headers))}&q-url-param-list=&q-signature={sign}"
    )
    connection = http.client.HTTPConnection(os.environ["CLOUD_ENDPOINT"].removeprefix("http://"), timeout=10)
    connection.request("GET", event["path"], None, headers)
    status = connection.getresponse().status
    connection.close()
    return status
"""


def test_policies_option_limits_functions(
    tmp_path: Path, start_cloud: Callable[..., Any], make_raw: Callable[..., Any]
) -> None:
    (tmp_path / "looks.py").write_text(LOOKS)
    inputs = {
        "region": REGION,
        "runtime": "Python3.10",
        "role": "r",
        "functions": {name: {"handler": "looks.main_handler"} for name in ("limited", "free")},
    }
    (tmp_path / "serverless.yml").write_text(
        json.dumps({"app": "t", "stage": "t", "component": "multi-scf", "name": "t", "inputs": inputs})
    )
    granted = f"qcs::cos:{REGION}:uid/{APPID}:audio-{APPID}/in/*"
    (tmp_path / "policies.json").write_text(json.dumps({"limited": document(("cos:GetObject", granted))}))
    cloud = start_cloud("--functions", str(tmp_path), "--policies", str(tmp_path / "policies.json"))
    raw, host = make_raw(cloud), cloud.bucket_host(f"audio-{APPID}")
    raw.send("PUT", host)
    for path in ("/in/a", "/out/a"):
        raw.send("PUT", host, path, body=b"words")

    def look(function: str, path: str) -> int:
        return int(
            cloud.admin("POST", f"functions/{function}/invoke", {"host": host, "path": path})["result"]
        )

    assert [look("limited", "/in/a"), look("limited", "/out/a")] == [200, 403]
    assert [look("free", "/in/a"), look("free", "/out/a")] == [200, 200]


def test_invalid_policy_file_stops_the_start(tmp_path: Path) -> None:
    file = tmp_path / "policies.json"
    file.write_text('{"upload": {"version": "2.0"}}')
    command = [sys.executable, "-m", "localcloud", "--data", str(tmp_path / "data"), "--policies", str(file)]
    completed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)
    assert (completed.returncode, completed.stdout) == (1, "")
    assert completed.stderr.startswith(
        f"localcloud cannot start: {file} holds a document that CAM does not accept: "
    )


@pytest.mark.parametrize("content", ["{", "[]"])
def test_policy_file_must_be_a_json_object(tmp_path: Path, content: str) -> None:
    (tmp_path / "policies.json").write_text(content)
    with pytest.raises(PolicyFileError, match=r"policies\.json"):
        load_policy_file(tmp_path / "policies.json")
