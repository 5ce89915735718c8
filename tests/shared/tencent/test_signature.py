"""The signature against published and independently computed vectors."""

from __future__ import annotations

import pytest

from shared.tencent.auth import sign_request

SECRET_ID = "AKIDEXAMPLE00000000000000000000000001"
SECRET_KEY = "ExampleSecretKeyForTestsOnly01234"
COS = "media-1250000000.cos.ap-chengdu.myqcloud.com"
CI = "media-1250000000.ci.ap-chengdu.myqcloud.com"

# Computed with the official Python client's own signing class, its clock stopped.
CLIENT_VECTORS = {
    "a plain GET": (
        "GET", "/in/a.mp3", [], {"Host": COS},
        "host", "", "9b5d62f55b3ed40ad835fa5017def479e2ce5c19",
    ),
    "a PUT with a Chinese key, metadata and a token": (
        "PUT", "/音频/会议 a+b%20~1.txt", [],
        {"Host": COS, "Content-Length": "5", "Content-Type": "text/plain; charset=utf-8",
         "x-cos-forbid-overwrite": "true", "x-cos-meta-job-id": "s0001", "x-cos-security-token": "TOKEN/+=01"},
        "content-length;content-type;host;x-cos-forbid-overwrite;x-cos-meta-job-id;x-cos-security-token", "",
        "8f8b5bf85c54905ad60fc25c989f2f93030b3550",
    ),
    "a listing": (
        "GET", "/",
        [("prefix", "音频/"), ("delimiter", "/"), ("marker", ""), ("max-keys", "1000"), ("encoding-type", "url")],
        {"Host": COS},
        "host", "delimiter;encoding-type;marker;max-keys;prefix", "901e015108ef234517b64505a58bd1e660e4294a",
    ),
    "a POST to CI with a token": (
        "POST", "/jobs", [],
        {"Host": CI, "Content-Length": "47", "Content-Type": "application/xml", "x-ci-security-token": "TOKEN/+=01"},
        "content-length;content-type;host;x-ci-security-token", "", "608ea6db21ebf1c769dcd7664cae9661741bd3ff",
    ),
    "a list of jobs with camelCase parameters": (
        "GET", "/asr_jobs",
        [("tag", "SpeechRecognition"), ("queueId", "p00000000000000000000000000000001"),
         ("states", "Success,Failed"), ("size", "10"), ("nextToken", ""), ("orderByTime", "Desc"),
         ("startCreationTime", "2023-11-14T00:00:00+0800")],
        {"Host": CI, "Content-Type": "application/xml"},
        "content-type;host", "nexttoken;orderbytime;queueid;size;startcreationtime;states;tag",
        "34513ed9e0f5bb50b4a8af66e9c5db9c4c3e551c",
    ),
    "the service host": (
        "GET", "/asrbucket",
        [("regions", "ap-chengdu"), ("bucketNames", "media-1250000000"), ("bucketName", ""),
         ("pageNumber", "1"), ("pageSize", "10")],
        {"Host": "ci.ap-chengdu.myqcloud.com"},
        "host", "bucketname;bucketnames;pagenumber;pagesize;regions", "e04fb32ad857ff81f2fec5e033e730e66cf9cbf5",
    ),
    "a cancel flag left unsigned": (
        "PUT", "/jobs/j01", [], {"Host": CI, "Content-Length": "0"},
        "content-length;host", "", "c41cae061a75c904e55ae08cfab63eb982b2d519",
    ),
    "a parameter without a value": (
        "PUT", "/in/a.mp3", [("tagging", "")],
        {"Host": COS, "Content-Length": "10", "Content-Type": "application/xml"},
        "content-length;content-type;host", "tagging", "f035a26db37b565a5216b6157c3fed4048fd6e41",
    ),
    "no header signed": (
        "GET", "/in/a.mp3", [], {}, "", "", "ec7f1d9b096fe4fcb468a837dfa28e5186860115",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CLIENT_VECTORS)
def test_signature_equals_official_client(name: str) -> None:
    method, path, parameters, headers, header_list, parameter_list, signature = CLIENT_VECTORS[name]
    assert sign_request(
        method, path, parameters, headers,
        secret_id=SECRET_ID, secret_key=SECRET_KEY, starts_s=1700000000, ends_s=1700010060,
    ) == (
        f"q-sign-algorithm=sha1&q-ak={SECRET_ID}&q-sign-time=1700000000;1700010060"
        f"&q-key-time=1700000000;1700010060&q-header-list={header_list}&q-url-param-list={parameter_list}"
        f"&q-signature={signature}"
    )  # fmt: skip


# Published on the signature's own page (COS document 436/7778), secret key included.
PUBLISHED_KEY = "BQYIM75p8x0iWVFSIgqEKwFprpRSVHlz"
PUBLISHED_HOST = "examplebucket-1250000000.cos.ap-beijing.myqcloud.com"


def test_signature_equals_published_upload_sample() -> None:
    headers = {
        "Date": "Thu, 16 May 2019 06:45:51 GMT",
        "Host": PUBLISHED_HOST,
        "Content-Type": "text/plain",
        "Content-Length": "13",
        "Content-MD5": "mQ/fVh815F3k6TAUm8m0eg==",
        "x-cos-acl": "private",
        "x-cos-grant-read": 'uin="100000000011"',
    }
    signed = sign_request(
        "PUT",
        "/exampleobject(腾讯云)",
        [],
        headers,
        secret_id="AKID",
        secret_key=PUBLISHED_KEY,
        starts_s=1557989151,
        ends_s=1557996351,
    )
    assert signed.endswith("q-signature=3b8851a11a569213c17ba8fa7dcf2abec6935172")


def test_signature_equals_published_download_sample() -> None:
    parameters = [
        ("response-content-type", "application/octet-stream"),
        ("response-cache-control", "max-age=600"),
    ]
    signed = sign_request(
        "GET",
        "/exampleobject(腾讯云)",
        parameters,
        {"Date": "Thu, 16 May 2019 06:55:53 GMT", "Host": PUBLISHED_HOST},
        secret_id="AKID",
        secret_key=PUBLISHED_KEY,
        starts_s=1557989753,
        ends_s=1557996953,
    )
    assert signed.endswith("q-signature=01681b8c9d798a678e43b685a9f1bba0f6c0e012")
