"""A job with the template that has its hot words, under least permissions; and what it costs in requests."""

from __future__ import annotations

import pytest

from cli.cloud.hot_words import TABLE_ELEMENT, HotWordsClient, HotWordTable, SpeechTemplate
from cli.config import PROJECT_FOLDER
from cli.deploy.hot_words import find_deployments
from cli.local.emulator import INPUT_BUCKET, OUTPUT_BUCKET, SETTINGS
from cli.manifest.loader import load_manifest
from shared.options.ci import build_job_members
from shared.options.hot_words import build_templates_object, template_key, templates_object_key
from shared.options.model import RecordingOptions
from tests.helpers.flow import CONTENT_A, CONTENT_B, Flow, StartFlow

pytestmark = pytest.mark.process

OPTIONS = RecordingOptions(hot_words="hotwords/all.txt")


def put_template(flow: Flow) -> str:
    """Create table and template, and write the list of templates. Return the template's id."""
    cos = flow.pipeline.clients.cos
    client = HotWordsClient(cos.client, cos.region)
    table_id = client.create_table(INPUT_BUCKET, HotWordTable("", "all", "", {"Scribe": 10}))
    speech = {**build_job_members(OPTIONS, "").speech, TABLE_ELEMENT: table_id}
    template_id = client.create_template(INPUT_BUCKET, SpeechTemplate("", "all", speech))
    (deployment,) = find_deployments(load_manifest(PROJECT_FOLDER, {**SETTINGS, "SCF_ROLE_NAME": "local"}))
    body = build_templates_object({INPUT_BUCKET: {template_key(OPTIONS): template_id}})
    cos.put(OUTPUT_BUCKET, templates_object_key(".scribe/", deployment), body)
    return template_id


def test_recording_is_recognised_with_its_hot_words(start_flow: StartFlow) -> None:
    flow = start_flow(OPTIONS=f"hot-words={OPTIONS.hot_words}", ENGINE=OPTIONS.engine)
    template_id = put_template(flow)
    for key, body in (("first.wav", CONTENT_A), ("second.wav", CONTENT_B)):
        flow.upload(key, body)
        flow.settle()
        assert flow.transcript(key)["sentences"]
    assert [job["template_id"] for job in flow.jobs()] == [template_id] * 2
    reads = [row for row in flow.admin("GET", "requests") if "/.scribe/hot-words/" in row["path"]]
    assert [row["status"] for row in reads if row["function"]] == [200]  # the second recording costs none


def test_recording_without_a_template_is_recognised_too(start_flow: StartFlow) -> None:
    flow = start_flow(OPTIONS=f"hot-words={OPTIONS.hot_words}", ENGINE=OPTIONS.engine)
    flow.upload("first.wav", CONTENT_A)
    flow.settle()
    assert flow.transcript("first.wav")["sentences"]
    assert [job["template_id"] for job in flow.jobs()] == [""]
