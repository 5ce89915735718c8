"""Stand-in clouds in their own processes, and three ways to use them: the official SDK, raw HTTP, a receiver."""

from __future__ import annotations

import secrets
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from socket import IPPROTO_TCP, TCP_NODELAY
from typing import Any

import pytest

from tests.localcloud.clients import ApiClient, CosSdk, MakeApiClient, MakeRaw, MakeSdk, RawClient
from tests.localcloud.stand_in import QUICK_OPTIONS, Receiver, StandIn, StartCloud


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """One scripted stand-in for all tests that need nothing special."""
    folder = tmp_path_factory.mktemp("cloud") / "data"
    running = StandIn.start(folder, *QUICK_OPTIONS, "--deploy-delay-ms", "30")
    yield running
    assert running.stop() == 0


@pytest.fixture
def start_cloud(tmp_path: Path) -> Iterator[StartCloud]:
    """Start stand-ins with options, on one data folder unless another is named."""
    started: list[StandIn] = []

    def start(*options: str, folder: str = "data") -> StandIn:
        running = StandIn.start(tmp_path / folder, *QUICK_OPTIONS, *options)
        started.append(running)
        return running

    yield start
    for running in started:
        if running.process.poll() is None:
            assert running.stop() == 0


@pytest.fixture(scope="session")
def make_sdk() -> Iterator[MakeSdk]:
    """Create the official SDK's client, unmodified, pointed at a stand-in as its proxy."""
    with warnings.catch_warnings():
        # The SDK and its dependencies are older than the interpreter: invalid escapes, deprecated modules.
        warnings.simplefilter("ignore")
        import qcloud_cos
        import qcloud_cos.intelligent_speech
        import requests.adapters

    class NoDelayAdapter(requests.adapters.HTTPAdapter):
        """Switches off Nagle's algorithm, which costs 44 ms for every request with a body to a proxy."""

        def proxy_manager_for(self, proxy: str, **settings: Any) -> Any:
            return super().proxy_manager_for(
                proxy, socket_options=[(IPPROTO_TCP, TCP_NODELAY, 1)], **settings
            )

    sessions = []

    def make(cloud: StandIn, *, speech: bool = False, **changes: str | bool | None) -> CosSdk:
        session = requests.Session()
        sessions.append(session)
        session.mount("http://", NoDelayAdapter(pool_maxsize=8))
        settings = {
            "Region": cloud.region,
            "SecretId": cloud.secret_id,
            "SecretKey": cloud.secret_key,
            "Scheme": "http",
        }
        config = qcloud_cos.CosConfig(**{**settings, "Proxies": {"http": cloud.endpoint}, **changes})
        speech_client = qcloud_cos.intelligent_speech.IntelligentSpeechClient
        client_class = speech_client if speech else qcloud_cos.CosS3Client
        return client_class(config, retry=0, session=session)

    yield make
    for session in sessions:
        session.close()


@pytest.fixture
def sdk(cloud: StandIn, make_sdk: MakeSdk) -> CosSdk:
    return make_sdk(cloud)


@pytest.fixture
def bucket(cloud: StandIn, sdk: CosSdk) -> str:
    """A fresh bucket."""
    name = f"b-{secrets.token_hex(6)}-{cloud.appid}"
    sdk.create_bucket(name)
    return name


@pytest.fixture
def speech_bucket(bucket: str, sdk: CosSdk) -> str:
    """A fresh bucket with the speech service on and a recording `call.mp3` in it."""
    sdk.ci_open_asr_bucket(bucket)
    sdk.put_object(bucket, b"some seconds of speech", "call.mp3")
    return bucket


@pytest.fixture(scope="session")
def make_api_client() -> MakeApiClient:
    def make(
        cloud: StandIn,
        key: Mapping[str, str] | None = None,
        *,
        token: str | None = None,
        region: str = "ap-guangzhou",
        direct: bool = False,
    ) -> ApiClient:
        secret_id, secret_key, own_token = (
            (key["secret_id"], key["secret_key"], key["token"])
            if key
            else (cloud.secret_id, cloud.secret_key, "")
        )
        return ApiClient(
            cloud.endpoint, secret_id, secret_key, own_token if token is None else token, region, direct
        )

    return make


@pytest.fixture
def api_client(cloud: StandIn, make_api_client: MakeApiClient) -> ApiClient:
    return make_api_client(cloud)


@pytest.fixture
def make_raw() -> Iterator[MakeRaw]:
    clients: list[RawClient] = []

    def make(cloud: StandIn) -> RawClient:
        clients.append(RawClient(cloud))
        return clients[-1]

    yield make
    for raw in clients:
        raw.client.close()


@pytest.fixture
def raw(cloud: StandIn, make_raw: MakeRaw) -> RawClient:
    return make_raw(cloud)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver.listen() as listening:
        yield listening
