"""Blocks of code and commands that upload to the local cloud with other clients, to copy as they are."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import shlex
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

from cli.language import _
from cli.local.emulator import INPUT_BUCKET, Emulator
from cli.local.samples import SAMPLES

EXAMPLE = SAMPLES / "welcome.wav"
FORM_LIFETIME_S = 365 * 86_400


class ClientExample(NamedTuple):
    """A client and the text to copy for it."""

    title: str
    text: str


def build_examples(emulator: Emulator, data: Path, now_s: float) -> list[ClientExample]:
    """Build the blocks for Tencent's Python SDK, coscmd and curl. Each uploads a sample under a key of its own.

    `data` is the folder of the local cloud: coscmd's settings are kept in it, not in those of the user. `now_s` is when
    the signature for curl begins to be valid, in Unix seconds.
    """
    return [
        ClientExample(_("Tencent's Python SDK: pip install cos-python-sdk-v5"), _format_sdk(emulator)),
        ClientExample(_("coscmd: pip install coscmd"), _format_coscmd(emulator, data)),
        ClientExample(_("curl: any file, which keeps its name"), _format_curl(emulator, now_s)),
    ]


def _example_path() -> str:
    """Return the path of the example, short if it is below the current folder."""
    return os.path.relpath(EXAMPLE) if EXAMPLE.is_relative_to(Path.cwd()) else str(EXAMPLE)


def _format_sdk(emulator: Emulator) -> str:
    path = _example_path()
    return f"""\
from qcloud_cos import CosConfig, CosS3Client
client = CosS3Client(CosConfig(
    Region={emulator.region!r},
    SecretId={emulator.secret_id!r},
    SecretKey={emulator.secret_key!r},
    Scheme='http',
    Proxies={{'http': {emulator.endpoint!r}}},
))
client.upload_file(Bucket={INPUT_BUCKET!r}, Key='sdk/welcome.wav', LocalFilePath={path!r})"""  # not translated


def _format_coscmd(emulator: Emulator, data: Path) -> str:
    config = shlex.quote(str(data / "coscmd.conf"))
    return f"""\
export http_proxy={emulator.endpoint}
coscmd -c {config} config -a {emulator.secret_id} -s {emulator.secret_key} \\
  -b {INPUT_BUCKET} -r {emulator.region} --do-not-use-ssl
coscmd -c {config} upload {shlex.quote(_example_path())} coscmd/welcome.wav"""  # not translated


def _format_curl(emulator: Emulator, now_s: float) -> str:
    """Format an upload by a form (COS document 436/14690): its signature holds for every key, that of a URL for one."""
    # Not -F: it takes what follows a semicolon for the type of a file.
    fields = "".join(
        f" \\\n  --form-string {name}='{value}'" for name, value in _sign_form(emulator, now_s).items()
    )
    file = shlex.quote(f'file=@"{_example_path()}"')
    return f"""\
curl -fsS --proxy {emulator.endpoint} http://{INPUT_BUCKET}.cos.{emulator.region}.myqcloud.com/{fields} \\
  --form-string key='curl/${{filename}}' \\
  -F {file}"""  # not translated


def _sign_form(emulator: Emulator, now_s: float) -> dict[str, str]:
    """Return the fields that permit an upload of any key to the input bucket."""
    start_s, end_s = int(now_s) - 60, int(now_s) + FORM_LIFETIME_S
    expiration = datetime.fromtimestamp(end_s, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    conditions = [{"bucket": INPUT_BUCKET}, ["starts-with", "$key", ""]]
    policy = json.dumps({"expiration": expiration, "conditions": conditions}).encode()
    key_time = f"{start_s};{end_s}"
    sign_key = _hmac_sha1(emulator.secret_key, key_time)
    digest = hashlib.sha1(policy, usedforsecurity=False).hexdigest()
    return {
        "q-sign-algorithm": "sha1",
        "q-ak": emulator.secret_id,
        "q-key-time": key_time,
        "q-signature": _hmac_sha1(sign_key, digest),
        "policy": base64.b64encode(policy).decode(),
    }


def _hmac_sha1(key: str, message: str) -> str:
    return hmac.new(key.encode(), message.encode(), "sha1").hexdigest()
