"""Stand-in clouds in their own processes, and three ways to use them: the official SDK, raw HTTP, a receiver."""

from __future__ import annotations

import hashlib
import hmac
import importlib
import json
import queue
import secrets
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import IPPROTO_TCP, TCP_NODELAY
from typing import Any
from urllib.parse import quote

import httpx
import pytest

ROOT = Path(__file__).parents[2]
QUICKLY_S = 20.0


@dataclass
class StandIn:
    """A running `python -m localcloud`."""

    folder: Path
    process: subprocess.Popen[str]
    endpoint: str
    region: str
    appid: str
    secret_id: str
    secret_key: str
    started_in_s: float

    @classmethod
    def start(cls, folder: Path, *options: str) -> StandIn:
        started_s = time.monotonic()
        command = [sys.executable, "-m", "localcloud", "--port", "0", "--data", str(folder), *options]
        folder.mkdir(exist_ok=True)
        with (folder / "stderr.log").open("a") as log:
            process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True)
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            process.stdout.close()
            process.wait(QUICKLY_S)
            pytest.fail((folder / "stderr.log").read_text())
        ready = json.loads(line)
        params = {name: ready[name] for name in ("endpoint", "region", "appid", "secret_id", "secret_key")}
        return cls(folder, process, started_in_s=time.monotonic() - started_s, **params)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Stop it and return its exit code."""
        self.process.send_signal(number)
        code = self.process.wait(QUICKLY_S)
        assert self.process.stdout is not None
        assert self.process.stdout.read() == "", "stdout is for the ready line only"
        self.process.stdout.close()
        return code

    def bucket_host(self, bucket: str) -> str:
        return f"{bucket}.cos.{self.region}.myqcloud.com"

    def ci_host(self, bucket: str) -> str:
        return f"{bucket}.ci.{self.region}.myqcloud.com"

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        url = f"{self.endpoint}/-/{path}"
        response = httpx.request(method, url, json=body, trust_env=False, timeout=QUICKLY_S)
        assert response.status_code == 200, response.text
        return response.json()

    def log(self) -> str:
        return (self.folder / "stderr.log").read_text()


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """One scripted stand-in for all tests that need nothing special."""
    running = StandIn.start(
        tmp_path_factory.mktemp("cloud") / "data",
        *("--speech", "scripted", "--retry-delay", "0.05", "--deploy-delay-ms", "30", "--settle-ms", "0"),
    )
    yield running
    assert running.stop() == 0


@pytest.fixture
def start_cloud(tmp_path: Path) -> Iterator[Callable[..., StandIn]]:
    """Start stand-ins with options, on one data folder unless another is named."""
    started: list[StandIn] = []

    def start(*options: str, folder: str = "data") -> StandIn:
        usual = ("--speech", "scripted", "--retry-delay", "0.05", "--settle-ms", "0")
        running = StandIn.start(tmp_path / folder, *usual, *options)
        started.append(running)
        return running

    yield start
    for running in started:
        if running.process.poll() is None:
            assert running.stop() == 0


@pytest.fixture(scope="session")
def make_sdk() -> Iterator[Callable[..., Any]]:
    """The official SDK, unmodified, pointed at a stand-in as its proxy."""
    with warnings.catch_warnings():
        # The SDK and its dependencies are older than the interpreter: invalid escapes, deprecated modules.
        warnings.simplefilter("ignore")
        import qcloud_cos
        import qcloud_cos.intelligent_speech
        import requests.adapters

    class Undelayed(requests.adapters.HTTPAdapter):
        """urllib3 leaves Nagle's algorithm on towards a proxy: 44 ms for every request with a body."""

        def proxy_manager_for(self, proxy: str, **settings: Any) -> Any:
            return super().proxy_manager_for(
                proxy, socket_options=[(IPPROTO_TCP, TCP_NODELAY, 1)], **settings
            )

    sessions = []

    def make(cloud: StandIn, *, speech: bool = False, **changes: Any) -> Any:
        session = requests.Session()
        sessions.append(session)
        session.mount("http://", Undelayed(pool_maxsize=8))
        settings = {
            "Region": cloud.region,
            "SecretId": cloud.secret_id,
            "SecretKey": cloud.secret_key,
            "Scheme": "http",
        }
        config = qcloud_cos.CosConfig(**{**settings, "Proxies": {"http": cloud.endpoint}, **changes})
        kind = qcloud_cos.intelligent_speech.IntelligentSpeechClient if speech else qcloud_cos.CosS3Client
        return kind(config, retry=0, session=session)

    yield make
    for session in sessions:
        session.close()


@pytest.fixture
def sdk(cloud: StandIn, make_sdk: Callable[..., Any]) -> Any:
    return make_sdk(cloud)


@pytest.fixture
def bucket(cloud: StandIn, sdk: Any) -> str:
    """A fresh bucket."""
    name = f"b-{secrets.token_hex(6)}-{cloud.appid}"
    sdk.create_bucket(name)
    return name


@pytest.fixture
def speech_bucket(bucket: str, sdk: Any) -> str:
    """A fresh bucket with the speech service on and a recording `call.mp3` in it."""
    sdk.ci_open_asr_bucket(bucket)
    sdk.put_object(bucket, b"some seconds of speech", "call.mp3")
    return bucket


_CONTROL_VERSIONS = {"scf": "v20180416", "cam": "v20190116", "sts": "v20180813"}


@dataclass
class ApiClient:
    """The official SDK's typed clients of API 3.0; unless `direct`, the stand-in is their proxy."""

    endpoint: str
    secret_id: str
    secret_key: str
    token: str = ""
    region: str = "ap-guangzhou"
    direct: bool = False

    def call(self, product: str, action: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Send one request; returns the response without its RequestId. Raises the SDK's exception."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the SDK is older than the interpreter
            return self._call(product, action, dict(params or {}))

    def _call(self, product: str, action: str, params: dict[str, Any]) -> dict[str, Any]:
        from tencentcloud.common.credential import Credential
        from tencentcloud.common.profile.client_profile import ClientProfile
        from tencentcloud.common.profile.http_profile import HttpProfile

        module = f"tencentcloud.{product}.{_CONTROL_VERSIONS[product]}"
        request = getattr(importlib.import_module(f"{module}.models"), f"{action}Request")()
        request.from_json_string(json.dumps(params))
        kind = getattr(importlib.import_module(f"{module}.{product}_client"), f"{product.capitalize()}Client")
        address = self.endpoint.removeprefix("http://")
        where: dict[str, Any] = {"endpoint": address} if self.direct else {"proxy": self.endpoint}
        profile = ClientProfile(httpProfile=HttpProfile(protocol="http", reqTimeout=int(QUICKLY_S), **where))
        client = kind(Credential(self.secret_id, self.secret_key, self.token or None), self.region, profile)
        response: dict[str, Any] = json.loads(getattr(client, action)(request).to_json_string())
        assert response.pop("RequestId")
        return response

    def error_code(self, product: str, action: str, params: Mapping[str, Any] | None = None) -> str:
        """The error code of a request."""
        from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException

        with pytest.raises(TencentCloudSDKException) as refused:
            self.call(product, action, params)
        assert refused.value.get_request_id()
        return str(refused.value.get_code())


@pytest.fixture(scope="session")
def make_api_client() -> Callable[..., ApiClient]:
    """Clients of a stand-in's API 3.0 with a credential that /-/keys issued, or the operator's."""

    def make(cloud: StandIn, key: Mapping[str, Any] | None = None, **changes: Any) -> ApiClient:
        names = ("secret_id", "secret_key", "token")
        whose = {name: key[name] for name in names} if key else {}
        own = {"secret_id": cloud.secret_id, "secret_key": cloud.secret_key}
        return ApiClient(cloud.endpoint, **{**own, **whose, **changes})

    return make


@pytest.fixture
def api_client(cloud: StandIn, make_api_client: Callable[..., ApiClient]) -> ApiClient:
    return make_api_client(cloud)


def percent_encode(text: str) -> str:
    return quote(text, safe="-_~.")


@dataclass
class RawClient:
    """Signed requests with exact control of every byte; the signature follows the documents."""

    cloud: StandIn
    client: httpx.Client = field(default_factory=lambda: httpx.Client(trust_env=False, timeout=QUICKLY_S))

    def sign(
        self,
        method: str,
        path: str,
        query: dict[str, str],
        headers: dict[str, str],
        *,
        secret_id: str = "",
        secret_key: str = "",
        window: tuple[int, int] | None = None,
    ) -> str:
        start, end = window or (int(time.time()) - 60, int(time.time()) + 600)
        times = f"{start};{end}"
        names, lines = [], []
        for pairs in (query, headers):
            items = sorted(
                (percent_encode(name).lower(), percent_encode(value)) for name, value in pairs.items()
            )
            names.append(";".join(name for name, _ in items))
            lines.append("&".join(f"{name}={value}" for name, value in items))
        whole = f"{method.lower()}\n{path}\n{lines[0]}\n{lines[1]}\n"
        key = hmac.new((secret_key or self.cloud.secret_key).encode(), times.encode(), "sha1").hexdigest()
        text = f"sha1\n{times}\n{hashlib.sha1(whole.encode(), usedforsecurity=False).hexdigest()}\n"
        made = hmac.new(key.encode(), text.encode(), "sha1").hexdigest()
        return (
            f"q-sign-algorithm=sha1&q-ak={secret_id or self.cloud.secret_id}&q-sign-time={times}&q-key-time={times}"
            f"&q-header-list={names[1]}&q-url-param-list={names[0]}&q-signature={made}"
        )

    def send(
        self,
        method: str,
        host: str,
        path: str = "/",
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        *,
        unsigned: dict[str, str] | None = None,
        authorization: str | None = None,
        **signing: Any,
    ) -> httpx.Response:
        """Send a request. `unsigned` headers are not covered by the signature; `path` is decoded, as it is signed."""
        signed = {"host": host, **(headers or {})}
        if authorization is None:
            authorization = self.sign(method, path, query or {}, signed, **signing)
        sent = {**signed, **(unsigned or {}), **({"authorization": authorization} if authorization else {})}
        # Dots are encoded so that no client treats `..` as the parent folder.
        target = "/" + percent_encode(path[1:]).replace(".", "%2E").replace("%2F", "/")
        if query:
            target += "?" + "&".join(
                f"{percent_encode(name)}={percent_encode(value)}" for name, value in query.items()
            )
        return self.target(method, target, sent, body)

    def target(self, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> httpx.Response:
        """Send exactly this request target."""
        return self.client.request(
            method, self.cloud.endpoint, headers=headers, content=body, extensions={"target": target.encode()}
        )


@pytest.fixture
def raw(cloud: StandIn) -> Iterator[RawClient]:
    made = RawClient(cloud)
    yield made
    made.client.close()


@pytest.fixture
def make_raw() -> Iterator[Callable[[StandIn], RawClient]]:
    made: list[RawClient] = []

    def make(cloud: StandIn) -> RawClient:
        made.append(RawClient(cloud))
        return made[-1]

    yield make
    for each in made:
        each.client.close()


@dataclass
class Receiver:
    """An HTTP address on this machine that keeps posted bodies and responds with the given statuses."""

    url: str
    statuses: list[int]
    arrived: queue.Queue[tuple[dict[str, str], bytes]]

    def next(self) -> tuple[dict[str, str], bytes]:
        return self.arrived.get(timeout=QUICKLY_S)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    statuses: list[int] = []
    arrived: queue.Queue[tuple[dict[str, str], bytes]] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            arrived.put(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(statuses.pop(0) if statuses else 200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_words: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = False
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield Receiver(f"http://127.0.0.1:{server.server_address[1]}/hook", statuses, arrived)
        server.shutdown()
        thread.join()


def eventually(look: Callable[[], Any]) -> Any:
    """The first result of `look` that is neither None nor False."""
    deadline = time.monotonic() + QUICKLY_S
    while (result := look()) is None or result is False:
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
    return result


@pytest.fixture(name="eventually")
def eventually_fixture() -> Callable[[Callable[[], Any]], Any]:
    return eventually
