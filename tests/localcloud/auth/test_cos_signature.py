"""Signatures: golden vectors computed with Tencent's own signer, and signatures that must be rejected."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from localcloud.auth.cos_signature import (
    COS_TOKEN_HEADERS,
    SignatureError,
    SignatureErrorReason,
    SignedRequest,
    compute_signature,
    verify_signature,
)
from localcloud.auth.credentials import Credential, CredentialStore

ID, SECRET = "AKIDEXAMPLE00000000000000000000000001", "ExampleSecretKeyForTestsOnly01234"
TIMES = "1700000000;1700010060"
NOW = 1_700_000_060.0
TOKEN = "TOKEN/+=01"
COS_HOST = "media-1250000000.cos.ap-chengdu.myqcloud.com"
CI_HOST = "media-1250000000.ci.ap-chengdu.myqcloud.com"

JOBS_PAGE = {
    "tag": "SpeechRecognition",
    "queueId": "p00000000000000000000000000000001",
    "states": "Success,Failed",
    "size": "10",
    "nextToken": "",
    "orderByTime": "Desc",
    "startCreationTime": "2023-11-14T00:00:00+0800",
}
BUCKETS_PAGE = {
    "regions": "ap-chengdu",
    "bucketNames": "media-1250000000",
    "bucketName": "",
    "pageNumber": "1",
    "pageSize": "10",
}
PUT_HEADERS = {
    "host": COS_HOST,
    "content-type": "text/plain; charset=utf-8",
    "content-length": "5",
    "x-cos-forbid-overwrite": "true",
    "x-cos-meta-job-id": "s0001",
    "x-cos-security-token": TOKEN,
}
POST_HEADERS = {
    "host": CI_HOST,
    "content-type": "application/xml",
    "content-length": "47",
    "x-ci-security-token": TOKEN,
}
LIST = {"prefix": "音频/", "delimiter": "/", "marker": "", "max-keys": "1000", "encoding-type": "url"}
TAG_HEADERS = {"host": COS_HOST, "content-type": "application/xml", "content-length": "10"}


class Vector(NamedTuple):
    """A request with the signature that Tencent's own signer computed; all of its headers are signed."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    signed_parameters: str  # q-url-param-list
    signature: str

    def build_request(self, **changes: Any) -> SignedRequest:
        """The signed request, of which some parts may be changed after the signature."""
        changed = self._replace(**changes)
        request = build_request(changed.method, changed.path, changed.query, changed.headers)
        value = authorization(";".join(sorted(self.headers)), self.signed_parameters, self.signature)
        return with_header(request, "authorization", value)

    def get_token(self) -> str:
        return TOKEN if any("token" in name for name in self.headers) else ""


VECTORS = [
    Vector("GET", "/in/a.mp3", {}, {"host": COS_HOST}, "", "9b5d62f55b3ed40ad835fa5017def479e2ce5c19"),
    Vector("PUT", "/音频/会议 a+b%20~1.txt", {}, PUT_HEADERS, "", "8f8b5bf85c54905ad60fc25c989f2f93030b3550"),
    Vector(
        "GET",
        "/",
        LIST,
        {"host": COS_HOST},
        "delimiter;encoding-type;marker;max-keys;prefix",
        "901e015108ef234517b64505a58bd1e660e4294a",
    ),
    Vector("POST", "/jobs", {}, POST_HEADERS, "", "608ea6db21ebf1c769dcd7664cae9661741bd3ff"),
    Vector(
        "GET",
        "/asr_jobs",
        JOBS_PAGE,
        {"host": CI_HOST, "content-type": "application/xml"},
        "nexttoken;orderbytime;queueid;size;startcreationtime;states;tag",
        "34513ed9e0f5bb50b4a8af66e9c5db9c4c3e551c",
    ),
    Vector(
        "GET",
        "/asrbucket",
        BUCKETS_PAGE,
        {"host": "ci.ap-chengdu.myqcloud.com"},
        "bucketname;bucketnames;pagenumber;pagesize;regions",
        "e04fb32ad857ff81f2fec5e033e730e66cf9cbf5",
    ),
    Vector(
        "PUT",
        "/jobs/j01",
        {"cancel": ""},
        {"host": CI_HOST, "content-length": "0"},
        "",
        "c41cae061a75c904e55ae08cfab63eb982b2d519",
    ),
    Vector(
        "PUT",
        "/in/a.mp3",
        {"tagging": ""},
        TAG_HEADERS,
        "tagging",
        "f035a26db37b565a5216b6157c3fed4048fd6e41",
    ),
    Vector("GET", "/in/a.mp3", {}, {}, "", "ec7f1d9b096fe4fcb468a837dfa28e5186860115"),
]
VECTOR_IDS = [f"V{number}" for number in range(1, len(VECTORS) + 1)]


def authorization(headers: str, parameters: str, signature: str, times: str = TIMES, ak: str = ID) -> str:
    return (
        f"q-sign-algorithm=sha1&q-ak={ak}&q-sign-time={times}&q-key-time={times}"
        f"&q-header-list={headers}&q-url-param-list={parameters}&q-signature={signature}"
    )


def build_request(method: str, path: str, query: dict[str, str], headers: dict[str, str]) -> SignedRequest:
    return SignedRequest(method, path, tuple(query.items()), tuple(headers.items()))


def with_header(request: SignedRequest, name: str, value: str) -> SignedRequest:
    return replace(request, headers=(*request.headers, (name, value)))


def build_credentials(token: str = "", expires_s: float | None = None) -> CredentialStore:
    return CredentialStore(Credential(ID, SECRET, token, expires_s))


@pytest.mark.parametrize("vector", VECTORS, ids=VECTOR_IDS)
def test_golden_vectors_verify(vector: Vector) -> None:
    credentials = build_credentials(vector.get_token())
    assert verify_signature(vector.build_request(), credentials, NOW).secret_id == ID


@pytest.mark.parametrize("vector", VECTORS, ids=VECTOR_IDS)
def test_changed_signed_part_is_rejected(vector: Vector) -> None:
    requests = [vector.build_request(method="DELETE"), vector.build_request(path=vector.path + "x")]
    requests += [
        vector.build_request(headers={**vector.headers, name: value + "x"})
        for name, value in vector.headers.items()
        if "token" not in name
    ]
    if vector.signed_parameters:
        requests += [
            vector.build_request(query={**vector.query, name: value + "x"})
            for name, value in vector.query.items()
        ]
        requests += [vector.build_request(query={})]
    for request in requests:
        with pytest.raises(SignatureError) as caught:
            verify_signature(request, build_credentials(vector.get_token()), NOW)
        assert caught.value.reason is SignatureErrorReason.BAD_SIGNATURE


def test_host_may_be_signed_without_port() -> None:
    value = authorization("host", "", VECTORS[0].signature)
    request = build_request("GET", "/in/a.mp3", {}, {"host": f"{COS_HOST}:9000", "authorization": value})
    assert verify_signature(request, build_credentials(), NOW).secret_id == ID


def test_repeated_parameters_are_signed_in_value_order() -> None:
    forwards = SignedRequest("GET", "/", (("a", "2"), ("a", "1"), ("A", "0")), ())
    backwards = replace(forwards, query=tuple(reversed(forwards.query)))
    signatures = {
        compute_signature(request, SECRET, TIMES, TIMES, set(), {"a"}) for request in (forwards, backwards)
    }
    assert len(signatures) == 1
    assert signatures != {None}


V1_REQUEST = build_request("GET", "/in/a.mp3", {}, {"host": COS_HOST})
V1_VALUE = authorization("host", "", VECTORS[0].signature)


@pytest.mark.parametrize(
    ("value", "now", "reason"),
    [
        ("", NOW, SignatureErrorReason.MISSING),
        ("Bearer abc", NOW, SignatureErrorReason.MALFORMED),
        (V1_VALUE + "&q-ak=twice", NOW, SignatureErrorReason.MALFORMED),
        (V1_VALUE.replace("sha1", "md5", 1), NOW, SignatureErrorReason.MALFORMED),
        (V1_VALUE.replace("q-signature", "q-sig"), NOW, SignatureErrorReason.MALFORMED),
        (V1_VALUE.replace(TIMES, "now;then"), NOW, SignatureErrorReason.MALFORMED),
        (V1_VALUE.replace(TIMES, "1700000000"), NOW, SignatureErrorReason.MALFORMED),
        (V1_VALUE.replace(TIMES, "9" * 5000 + ";1"), NOW, SignatureErrorReason.MALFORMED),
        (V1_VALUE.replace("9b5d62f5", "é"), NOW, SignatureErrorReason.BAD_SIGNATURE),
        (V1_VALUE.replace(ID, "AKIDSOMEBODYELSE"), NOW, SignatureErrorReason.UNKNOWN_KEY),
        (V1_VALUE, 1_700_010_061.0, SignatureErrorReason.EXPIRED),
        (V1_VALUE, 1_699_990_000.0, SignatureErrorReason.TOO_EARLY),
        (V1_VALUE, 1_699_999_999.9, SignatureErrorReason.TOO_EARLY),
        (V1_VALUE.replace("9b5d62f5", "00000000"), NOW, SignatureErrorReason.BAD_SIGNATURE),
        (
            V1_VALUE.replace("q-header-list=host", "q-header-list=host;date"),
            NOW,
            SignatureErrorReason.BAD_SIGNATURE,
        ),
        (V1_VALUE.replace("param-list=", "param-list=acl"), NOW, SignatureErrorReason.BAD_SIGNATURE),
    ],
)
def test_invalid_signature_is_rejected_with_its_reason(
    value: str, now: float, reason: SignatureErrorReason
) -> None:
    with pytest.raises(SignatureError) as caught:
        verify_signature(with_header(V1_REQUEST, "authorization", value), build_credentials(), now)
    assert caught.value.reason is reason


def temporary(
    headers: dict[str, str], signed: set[str], query: dict[str, str] | None = None
) -> SignedRequest:
    request = build_request("GET", "/a", query or {}, {"host": COS_HOST, **headers})
    signatures = compute_signature(request, SECRET, TIMES, TIMES, {"host", *signed}, set())
    value = authorization(";".join(sorted({"host", *signed})), "", signatures or "")
    return with_header(request, "authorization", value)


@pytest.mark.parametrize("name", ["x-cos-security-token", "x-ci-security-token"])
def test_temporary_credential_needs_its_signed_token(name: str) -> None:
    credentials = build_credentials(TOKEN)
    assert verify_signature(temporary({name: TOKEN}, {name}), credentials, NOW).token == TOKEN
    for request in (
        temporary({}, set()),
        temporary({name: "wrong"}, {name}),
        temporary({name: TOKEN}, set()),
    ):
        with pytest.raises(SignatureError) as caught:
            verify_signature(request, credentials, NOW)
        assert caught.value.reason is SignatureErrorReason.BAD_TOKEN


def test_cos_accepts_only_its_own_token_header() -> None:
    name = "x-ci-security-token"
    with pytest.raises(SignatureError) as caught:
        verify_signature(temporary({name: TOKEN}, {name}), build_credentials(TOKEN), NOW, COS_TOKEN_HEADERS)
    assert caught.value.reason is SignatureErrorReason.BAD_TOKEN


def test_both_token_headers_may_be_sent() -> None:
    both = {"x-cos-security-token": TOKEN, "x-ci-security-token": TOKEN}
    assert verify_signature(temporary(both, set(both)), build_credentials(TOKEN), NOW).token == TOKEN
    with pytest.raises(SignatureError):
        verify_signature(
            temporary({**both, "x-ci-security-token": "other"}, set(both)), build_credentials(TOKEN), NOW
        )


def test_permanent_credential_rejects_a_token() -> None:
    with pytest.raises(SignatureError) as caught:
        verify_signature(
            temporary({"x-cos-security-token": TOKEN}, {"x-cos-security-token"}), build_credentials(), NOW
        )
    assert caught.value.reason is SignatureErrorReason.BAD_TOKEN


def test_temporary_credential_expires() -> None:
    signed = {"x-cos-security-token"}
    with pytest.raises(SignatureError) as caught:
        verify_signature(
            temporary({"x-cos-security-token": TOKEN}, signed), build_credentials(TOKEN, NOW - 1), NOW
        )
    assert caught.value.reason is SignatureErrorReason.TOKEN_EXPIRED


def test_presigned_token_may_be_in_the_query() -> None:
    request = temporary({}, set(), {"x-cos-security-token": TOKEN})
    assert verify_signature(request, build_credentials(TOKEN), NOW).token == TOKEN


def test_temporary_credential_has_its_invocation() -> None:
    credentials = build_credentials()
    issued = credentials.issue("upload", "r-1")
    assert credentials.get(issued.secret_id) == issued
    assert (issued.function, issued.request_id) == ("upload", "r-1")
