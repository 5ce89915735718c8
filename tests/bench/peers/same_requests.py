"""The seven requests of Scribe's upload, signed, with no library: shared by the peers that differ in how they send."""

import hashlib
import hmac
import json
import os
import time
from collections.abc import Callable
from urllib.parse import quote


def take_in(event: dict, send: Callable) -> dict:
    """Submits each recording of the event; `send(method, target, headers, body)` gives headers and body."""
    region, output_bucket = os.environ["REGION"], os.environ["OUTPUT_BUCKET"]
    output_host = f"{output_bucket}.cos.{region}.myqcloud.com"
    jobs = []
    for record in event["Records"]:
        place = record["cos"]["cosBucket"]
        bucket = f"{place['name']}-{place['appid']}"
        key = record["cos"]["cosObject"]["key"].replace(f"/{place['appid']}/{place['name']}/", "", 1)
        head, _ = _ask(send, "HEAD", f"{bucket}.cos.{region}.myqcloud.com", f"/{key}")
        receipt = {"bucket": bucket, "key": key, "etag": head["etag"]}
        receipt_id = hashlib.sha256(f"{bucket}/{key}/{head['etag']}".encode()).hexdigest()
        open_path, done_path = f"/.peer/open/{receipt_id}", f"/.peer/done/{receipt_id}"
        _ask(send, "GET", output_host, done_path)
        _ask(send, "PUT", output_host, open_path, json.dumps(receipt), {"x-cos-forbid-overwrite": "true"})
        _ask(send, "GET", output_host, open_path)
        _ask(send, "GET", output_host, done_path)
        order = (
            f"<Request><Tag>SpeechRecognition</Tag><Input><Object>{key}</Object></Input><Operation>"
            f"<SpeechRecognition><EngineModelType>{os.environ['ENGINE']}</EngineModelType><ChannelNum>1</ChannelNum>"
            "<ResTextFormat>2</ResTextFormat><ConvertNumMode>1</ConvertNumMode></SpeechRecognition>"
            f"<Output><Region>{region}</Region><Bucket>{output_bucket}</Bucket><Object>.peer/raw/{receipt_id}.txt</Object>"
            f"</Output><UserData>{receipt_id}</UserData></Operation></Request>"
        )
        _, answer = _ask(send, "POST", f"{bucket}.ci.{region}.myqcloud.com", "/asr_jobs", order)
        receipt["job"] = answer.decode().partition("<JobId>")[2].partition("</JobId>")[0]
        _ask(send, "PUT", output_host, open_path, json.dumps(receipt))
        jobs.append(receipt["job"])
    return {"jobs": jobs}


def _ask(
    send: Callable, method: str, host: str, path: str, body: str = "", headers: dict | None = None
) -> tuple:
    headers = {
        "host": host,
        "x-cos-security-token": os.environ["TENCENTCLOUD_SESSIONTOKEN"],
        **(headers or {}),
    }
    headers["authorization"] = _authorization(method, path, headers)
    if method == "POST":
        headers["content-type"] = "application/xml"
    return send(method, quote(path), headers, body.encode())


def _authorization(method: str, path: str, headers: dict) -> str:
    now = int(time.time())
    key_time = f"{now - 60};{now + 900}"
    names = ";".join(sorted(headers))
    line = "&".join(f"{name}={quote(headers[name], safe='-_.~')}" for name in sorted(headers))
    digest = hashlib.sha1(f"{method.lower()}\n{path}\n\n{line}\n".encode()).hexdigest()  # noqa: S324 - the protocol\'s own choice
    sign_key = _hmac(os.environ["TENCENTCLOUD_SECRETKEY"], key_time)
    signature = _hmac(sign_key, f"sha1\n{key_time}\n{digest}\n")
    return (
        f"q-sign-algorithm=sha1&q-ak={os.environ['TENCENTCLOUD_SECRETID']}&q-sign-time={key_time}"
        f"&q-key-time={key_time}&q-header-list={names}&q-url-param-list=&q-signature={signature}"
    )


def _hmac(key: str, message: str) -> str:
    return hmac.new(key.encode(), message.encode(), hashlib.sha1).hexdigest()
