"""serverless.yml: several COS triggers of one function on one bucket, with different events."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.runtime.models import CosTrigger, DeploymentError
from tests.localcloud.functions import build_trigger
from tests.localcloud.runtime.project import Project

HOST = "audio-1250000000.cos.ap-guangzhou.myqcloud.com"


def trigger(event: str, **parameters: object) -> dict[str, Any]:
    return build_trigger("cos", "upload", bucket=HOST, events=event, enable=True, **parameters)


@pytest.fixture
def upload(project: Project) -> Project:
    project.add(
        "upload", "def main_handler(event, context):\n    return event['Records'][0]['event']['eventName']\n"
    )
    return project


@pytest.mark.process
def test_two_triggers_with_different_events_start_one_function(upload: Project) -> None:
    upload.triggers += [trigger("cos:ObjectCreated:*"), trigger("cos:ObjectRestore:Completed")]
    for event_name in ("cos:ObjectCreated:Copy", "cos:ObjectRestore:Completed"):
        (invocation,) = upload.upload(event_name=event_name)
        assert invocation.result == event_name
    assert upload.upload(event_name="cos:ObjectRestore:Post") == []


def test_triggers_with_one_event_need_different_filters(upload: Project) -> None:
    upload.triggers += [trigger("cos:ObjectCreated:*"), trigger("cos:ObjectCreated:Put")]
    with pytest.raises(DeploymentError, match="two rules of bucket audio-1250000000 overlap"):
        upload.load()
    upload.triggers[:] = [
        trigger("cos:ObjectCreated:*", filter={"prefix": prefix}) for prefix in ("calls/", "meetings/")
    ]
    assert [rule.prefix for rule in upload.load().cos_triggers if isinstance(rule, CosTrigger)] == [
        "calls/",
        "meetings/",
    ]


def test_cos_trigger_has_no_name_of_its_own(upload: Project) -> None:
    upload.triggers += [trigger("cos:ObjectCreated:*", name="mine")]
    with pytest.raises(DeploymentError, match=r"triggers\[0\]\.parameters\.name: there is no such setting"):
        upload.load()
