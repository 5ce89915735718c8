"""The eight requests of Scribe's upload, signed without a library; `send` is what the implementations differ in."""

import hashlib
import hmac
import json
import os
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

Headers = Mapping[str, str]
# The response's headers, whose names are case-insensitive, and its body.
Response = tuple[Any, bytes]
Send = Callable[[str, str, Headers, bytes], Response]


def submit_jobs(event: dict[str, Any], send: Send) -> dict[str, Any]:
    """Submit a job for each recording of the event; `send` takes method, target, headers and body."""
    region, output_bucket = os.environ["REGION"], os.environ["OUTPUT_BUCKET"]
    output_host = f"{output_bucket}.cos.{region}.myqcloud.com"
    jobs = []
    for record in event["Records"]:
        cos_bucket = record["cos"]["cosBucket"]
        bucket = f"{cos_bucket['name']}-{cos_bucket['appid']}"
        key = record["cos"]["cosObject"]["key"].replace(
            f"/{cos_bucket['appid']}/{cos_bucket['name']}/", "", 1
        )
        head, _ = _request(send, "HEAD", f"{bucket}.cos.{region}.myqcloud.com", f"/{key}")
        receipt = {"bucket": bucket, "key": key, "etag": head["etag"]}
        receipt_id = hashlib.sha256(f"{bucket}/{key}/{head['etag']}".encode()).hexdigest()
        open_path, done_path = f"/.peer/open/{receipt_id}", f"/.peer/done/{receipt_id}"
        _request(send, "GET", output_host, done_path)
        _request(send, "GET", f"{bucket}.cos.{region}.myqcloud.com", f"/{key}.scribe.json")
        _request(send, "PUT", output_host, open_path, json.dumps(receipt), {"x-cos-forbid-overwrite": "true"})
        _request(send, "GET", output_host, open_path)
        _request(send, "GET", output_host, done_path)
        job_request = (
            f"<Request><Tag>SpeechRecognition</Tag><Input><Object>{key}</Object></Input><Operation>"
            f"<SpeechRecognition><EngineModelType>{os.environ['ENGINE']}</EngineModelType><ChannelNum>1</ChannelNum>"
            "<ResTextFormat>2</ResTextFormat><ConvertNumMode>1</ConvertNumMode></SpeechRecognition>"
            f"<Output><Region>{region}</Region><Bucket>{output_bucket}</Bucket><Object>.peer/raw/{receipt_id}.txt</Object>"
            f"</Output><UserData>{receipt_id}</UserData></Operation></Request>"
        )
        _, response = _request(send, "POST", f"{bucket}.ci.{region}.myqcloud.com", "/asr_jobs", job_request)
        receipt["job"] = response.decode().partition("<JobId>")[2].partition("</JobId>")[0]
        _request(send, "PUT", output_host, open_path, json.dumps(receipt))
        jobs.append(receipt["job"])
    return {"jobs": jobs}


def _request(
    send: Send, method: str, host: str, path: str, body: str = "", extra_headers: Headers | None = None
) -> Response:
    headers = {
        "host": host,
        "x-cos-security-token": os.environ["TENCENTCLOUD_SESSIONTOKEN"],
        **(extra_headers or {}),
    }
    headers["authorization"] = _authorization(method, path, headers)
    if method == "POST":
        headers["content-type"] = "application/xml"
    return send(method, quote(path), headers, body.encode())


def _authorization(method: str, path: str, headers: Headers) -> str:
    now = int(time.time())
    key_time = f"{now - 60};{now + 900}"
    names = ";".join(sorted(headers))
    header_list = "&".join(f"{name}={quote(headers[name], safe='-_.~')}" for name in sorted(headers))
    digest = hashlib.sha1(f"{method.lower()}\n{path}\n\n{header_list}\n".encode()).hexdigest()  # noqa: S324 - the protocol's own choice
    sign_key = _hmac(os.environ["TENCENTCLOUD_SECRETKEY"], key_time)
    signature = _hmac(sign_key, f"sha1\n{key_time}\n{digest}\n")
    return (
        f"q-sign-algorithm=sha1&q-ak={os.environ['TENCENTCLOUD_SECRETID']}&q-sign-time={key_time}"
        f"&q-key-time={key_time}&q-header-list={names}&q-url-param-list=&q-signature={signature}"
    )


def _hmac(key: str, message: str) -> str:
    return hmac.new(key.encode(), message.encode(), hashlib.sha1).hexdigest()
