"""Events whose URL is odd: on the domain of global acceleration, or with a plus for a blank."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.localcloud.clients import MakeSdk
from tests.localcloud.functions import ECHO, build_manifest, build_trigger, write_manifest
from tests.localcloud.stand_in import StartCloud

pytestmark = pytest.mark.process

KEY = "calls/会议 a+b c.mp3"
PATH = "/calls/%E4%BC%9A%E8%AE%AE%20a%2Bb%20c.mp3"
ACCELERATED = "http://audio-1250000000.cos.accelerate.myqcloud.com"
ORIGIN = "http://audio-1250000000.cos.ap-guangzhou.myqcloud.com"


@pytest.fixture
def upload(tmp_path: Path, start_cloud: StartCloud, make_sdk: MakeSdk) -> Any:
    """Upload an object under a fault plan, and return the COS part of the event that a function gets."""
    folder = tmp_path / "functions"
    folder.mkdir()
    (folder / "upload.py").write_text(ECHO)
    bucket = "audio-1250000000"
    host = f"{bucket}.cos.ap-guangzhou.myqcloud.com"
    trigger = build_trigger("cos", "upload", bucket=host, events="cos:ObjectCreated:*", enable=True)
    write_manifest(folder, build_manifest({"upload": {"handler": "upload.main_handler"}}, [trigger]))
    cloud = start_cloud("--functions", str(folder))
    sdk = make_sdk(cloud)
    sdk.create_bucket(bucket)

    def upload(rates: dict[str, float], key: str = KEY) -> Any:
        cloud.admin("PUT", "faults", {"rates": rates})
        sdk.put_object(bucket, b"x", key)
        cloud.wait_idle()
        struck = cloud.admin("GET", "faults")["struck"]
        return cloud.admin("GET", "invocations")[-1]["result"]["Records"][0]["cos"], struck

    return upload


def test_url_of_an_event_is_odd_when_the_plan_says_so(upload: Callable[..., Any]) -> None:
    for rates, url in (
        ({}, ORIGIN + PATH),
        ({"accelerate_event": 1.0}, ACCELERATED + PATH),
        ({"plus_in_url_event": 1.0}, ORIGIN + PATH.replace("%20", "+")),
        ({"accelerate_event": 1.0, "plus_in_url_event": 1.0}, ACCELERATED + PATH.replace("%20", "+")),
    ):
        cos, struck = upload(rates)
        assert cos["cosObject"]["url"] == url
        assert cos["cosObject"]["key"] == f"/1250000000/audio/{KEY}"
        assert cos["cosBucket"]["cosRegion"] == "ap-guangzhou"
        assert not rates or struck == dict.fromkeys(rates, 1)
    _, struck = upload({"plus_in_url_event": 1.0}, key="no-blank.mp3")
    assert struck == {}, "without a blank there is nothing to change"
