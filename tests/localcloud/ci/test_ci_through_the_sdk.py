"""Cloud Infinite's speech service as used by Tencent's own Python client, unmodified: every method it has."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.localcloud.clients import CosSdk, MakeSdk
from tests.localcloud.stand_in import StandIn, eventually

pytestmark = pytest.mark.process

SPEECH = {"EngineModelType": "16k_zh", "ChannelNum": 1, "ResTextFormat": 1}


def submit(sdk: CosSdk, bucket: str, **more: Any) -> Any:
    parameters = {"InputObject": "call.mp3", "SpeechRecognition": SPEECH, **more}
    region = sdk._conf._region
    return sdk.ci_create_asr_job(bucket, bucket, region, "out/call.txt", **parameters)["JobsDetail"]


def wait_until_finished(sdk: CosSdk, bucket: str, job_id: str) -> Any:
    def find_ended() -> Any:
        job = sdk.ci_get_asr_job(bucket, job_id)["JobsDetail"][0]
        return job if job["State"] in ("Success", "Failed") else None

    return eventually(find_ended)


def test_service_is_enabled_listed_and_disabled(cloud: StandIn, sdk: CosSdk, bucket: str) -> None:
    for _ in range(2):  # a second time changes nothing
        _, response = sdk.ci_open_asr_bucket(bucket)
        assert response["AsrBucket"]["BucketId"] == response["AsrBucket"]["Name"] == bucket
        assert response["AsrBucket"]["Region"] == cloud.region
    listed = sdk.ci_get_asr_bucket(Regions=cloud.region, BucketNames=bucket)
    assert (listed["TotalCount"], listed["AsrBucketList"][0]["BucketId"]) == ("1", bucket)
    sdk.ci_close_asr_bucket(bucket)
    listed = sdk.ci_get_asr_bucket(BucketNames=bucket)
    assert (listed["TotalCount"], listed.get("AsrBucketList")) == ("0", None)


def test_enabled_buckets_are_listed_by_prefix_and_page(cloud: StandIn, sdk: CosSdk) -> None:
    names = [f"prefix-{number}-{cloud.appid}" for number in range(3)]
    for name in names:
        sdk.create_bucket(name)
        sdk.ci_open_asr_bucket(name)
    bucket_ids = []
    for page in ("1", "2"):
        listed = sdk.ci_get_asr_bucket(BucketName="prefix-", PageNumber=page, PageSize="2")
        assert (listed["TotalCount"], listed["PageNumber"], listed["PageSize"]) == ("3", page, "2")
        bucket_ids += [item["BucketId"] for item in listed["AsrBucketList"]]
    assert bucket_ids == names
    elsewhere = sdk.ci_get_asr_bucket(BucketName="prefix-", Regions="ap-shanghai")
    assert elsewhere["TotalCount"] == "0"


def test_new_queue_is_active_without_notification(sdk: CosSdk, speech_bucket: str) -> None:
    queue = sdk.ci_get_asr_queue(speech_bucket)["QueueList"][0]
    assert (queue["Name"], queue["State"], queue["Category"]) == ("queue-speech-1", "Active", "Speeching")
    assert (queue["MaxSize"], queue["MaxConcurrent"], queue["BucketId"]) == ("10000", "10", speech_bucket)
    assert queue["NotifyConfig"] == {"Url": None, "Event": None, "Type": None, "State": "Off"}


def test_queues_are_listed_by_id_and_state(sdk: CosSdk, speech_bucket: str) -> None:
    queue_id = sdk.ci_get_asr_queue(speech_bucket)["QueueList"][0]["QueueId"]
    both = sdk.ci_get_asr_queue(speech_bucket, QueueIds=f"{queue_id},p0")
    assert [queue["QueueId"] for queue in both["QueueList"]] == [queue_id]
    assert both["NonExistPIDs"] == {"QueueID": "p0"}
    assert sdk.ci_get_asr_queue(speech_bucket, State="Paused")["TotalCount"] == "0"
    assert sdk.ci_get_asr_queue(speech_bucket, State="Active")["TotalCount"] == "1"


def test_queue_settings_are_updated(sdk: CosSdk, speech_bucket: str) -> None:
    queue_id = sdk.ci_get_asr_queue(speech_bucket)["QueueList"][0]["QueueId"]
    notify = {
        "State": "On",
        "Url": "http://example.com/hook",
        "Type": "Url",
        "Event": "TaskFinish",
        "ResultFormat": "JSON",
    }
    settings = {"Name": "语音-1", "QueueID": queue_id, "State": "Paused", "NotifyConfig": notify}
    changed = sdk.ci_update_asr_queue(speech_bucket, queue_id, settings)["Queue"]
    queue = changed[0] if isinstance(changed, list) else changed
    assert (queue["Name"], queue["State"], queue["NotifyConfig"]) == ("语音-1", "Paused", notify)
    assert sdk.ci_get_asr_queue(speech_bucket)["QueueList"][0] == queue


def test_submitted_job_is_recognised_and_written(cloud: StandIn, sdk: CosSdk, speech_bucket: str) -> None:
    job = submit(sdk, speech_bucket)
    assert (job["Code"], job["State"], job["Tag"]) == ("Success", "Submitted", "SpeechRecognition")
    assert (job["StartTime"], job["EndTime"]) == ("-", "-")
    assert job["JobId"].startswith("s")
    assert len(job["JobId"]) == 33
    assert job["Input"] == {"BucketId": speech_bucket, "Object": "call.mp3", "Region": cloud.region}
    assert job["Operation"]["SpeechRecognition"]["ResTextFormat"] == "1"
    done = wait_until_finished(sdk, speech_bucket, job["JobId"])
    assert done["State"] == "Success"
    assert done["EndTime"] != "-"
    result = done["Operation"]["SpeechRecognitionResult"]
    assert float(result["AudioTime"]) > 0
    assert (result["ObjectName"], result["DetailObjectName"]) == ("out/call.txt", "out/call.txt.detail")
    sentence = (
        result["ResultDetail"][0] if isinstance(result["ResultDetail"], list) else result["ResultDetail"]
    )
    assert sentence["FinalSentence"] in result["Result"]
    words = sentence["Words"]
    assert sentence["WordsNum"] == str(len(words))
    assert words[0]["OffsetStartMs"] == "0"
    assert int(words[-1]["OffsetEndMs"]) == int(sentence["EndMs"]) - int(sentence["StartMs"])
    text = sdk.get_object(speech_bucket, "out/call.txt")["Body"].get_raw_stream().read().decode()
    assert text == result["Result"]
    detail = json.loads(sdk.get_object(speech_bucket, "out/call.txt.detail")["Body"].get_raw_stream().read())
    assert detail[0]["FinalSentence"] == sentence["FinalSentence"]


def test_jobs_are_listed_newest_first_in_pages(sdk: CosSdk, speech_bucket: str) -> None:
    created = [submit(sdk, speech_bucket)["JobId"] for _ in range(5)]
    job_ids: list[str] = []
    token = ""
    while True:
        page = sdk.ci_list_asr_jobs(speech_bucket, Size=2, NextToken=token)
        job_ids += [job["JobId"] for job in page["JobsDetail"]]
        if "NextToken" not in page:
            break
        token = page["NextToken"]
    assert job_ids == created[::-1]
    oldest = sdk.ci_list_asr_jobs(speech_bucket, Size=1, OrderByTime="Asc")["JobsDetail"]
    assert [job["JobId"] for job in oldest] == created[:1]


def test_jobs_are_listed_by_state_queue_and_time(sdk: CosSdk, speech_bucket: str) -> None:
    queue_id = sdk.ci_get_asr_queue(speech_bucket)["QueueList"][0]["QueueId"]
    sdk.put_object(speech_bucket, b"NOT AUDIO", "notes.txt")
    good = submit(sdk, speech_bucket)["JobId"]
    bad = submit(sdk, speech_bucket, InputObject="notes.txt")["JobId"]
    for job_id in (good, bad):
        wait_until_finished(sdk, speech_bucket, job_id)

    def listed(**filters: Any) -> list[str]:
        return [job["JobId"] for job in sdk.ci_list_asr_jobs(speech_bucket, **filters).get("JobsDetail", [])]

    assert listed(States="Failed") == [bad]
    assert listed(States="Success") == [good]
    assert listed(States="Success,Failed", QueueId=queue_id) == [bad, good]
    assert listed(QueueId="p0") == []
    now = sdk.ci_get_asr_job(speech_bucket, bad)["JobsDetail"][0]["CreationTime"]
    assert bad in listed(StartCreationTime=now)
    assert listed(StartCreationTime="2999-01-01T00:00:00+0800") == []
    assert listed(EndCreationTime="2020-01-01T00:00:00+0800") == []


def test_file_that_is_not_audio_fails_with_reason(sdk: CosSdk, speech_bucket: str) -> None:
    sdk.put_object(speech_bucket, b"NOT AUDIO", "notes.txt")
    job = wait_until_finished(
        sdk, speech_bucket, submit(sdk, speech_bucket, InputObject="notes.txt")["JobId"]
    )
    assert (job["State"], job["Code"]) == ("Failed", "FailedOperation.ErrorRecognize")
    assert job["Message"]
    assert "SpeechRecognitionResult" not in job["Operation"]
    assert not sdk.object_exists(speech_bucket, "out/call.txt")


def test_template_is_created_used_updated_and_deleted(sdk: CosSdk, speech_bucket: str) -> None:
    template = sdk.ci_create_asr_template(speech_bucket, "电话", "8k_zh", ChannelNum=1, ResTextFormat=2)[
        "Template"
    ]
    template_id = template["TemplateId"]
    assert template["SpeechRecognition"]["EngineModelType"] == "8k_zh"
    job = submit(sdk, speech_bucket, TemplateId=template_id, SpeechRecognition={"EngineModelType": "16k_en"})
    assert job["Operation"]["SpeechRecognition"]["EngineModelType"] == "8k_zh"
    assert job["Operation"]["TemplateName"] == "电话"
    wait_until_finished(sdk, speech_bucket, job["JobId"])
    changed = sdk.ci_update_asr_template(speech_bucket, template_id, "电话2", "8k_en", 1, 1)["Template"]
    assert (changed["Name"], changed["SpeechRecognition"]["EngineModelType"]) == ("电话2", "8k_en")
    listed = sdk.ci_get_asr_template(speech_bucket)
    assert [item["TemplateId"] for item in listed["TemplateList"]] == [template_id]
    sdk.ci_delete_asr_template(speech_bucket, template_id)
    assert sdk.ci_get_asr_template(speech_bucket)["TotalCount"] == "0"


def test_hot_word_table_is_created_updated_and_deleted(
    cloud: StandIn, make_sdk: MakeSdk, speech_bucket: str
) -> None:
    speech = make_sdk(cloud, speech=True)
    table = {"TableName": "names", "VocabularyWeights": {"Vocabulary": "Scribe", "Weight": "10"}}
    _, created = speech.ci_create_asr_hot_vocabulary_table(speech_bucket, table)
    table_id = created["TableId"]
    speech.ci_update_asr_hot_vocabulary_table(
        speech_bucket, {**table, "TableId": table_id, "TableName": "more"}
    )
    _, fetched = speech.ci_get_asr_hot_vocabulary_table(speech_bucket, table_id)
    assert (fetched["TableName"], fetched["VocabularyWeights"]["Vocabulary"]) == ("more", "Scribe")
    _, listed = speech.ci_list_asr_hot_vocabulary_table(speech_bucket)
    assert listed["TotalCount"] == "1"
    speech.ci_delete_asr_hot_vocabulary_table(speech_bucket, table_id)
    assert speech.ci_list_asr_hot_vocabulary_table(speech_bucket)[1]["TotalCount"] == "0"


def test_general_job_calls_reach_same_jobs(cloud: StandIn, sdk: CosSdk, speech_bucket: str) -> None:
    output = {"Region": cloud.region, "Bucket": speech_bucket, "Object": "general.txt"}
    request = {
        "Tag": "SpeechRecognition",
        "Input": {"Object": "call.mp3"},
        "Operation": {
            "SpeechRecognition": SPEECH,
            "Output": output,
            "UserData": "receipt-1",
            "JobLevel": "1",
        },
    }
    created = sdk.ci_create_media_jobs(
        Bucket=speech_bucket, Jobs=request, Lst={}, ContentType="application/xml"
    )
    job = created["JobsDetail"][0] if isinstance(created["JobsDetail"], list) else created["JobsDetail"]
    assert job["Operation"]["UserData"] == "receipt-1"
    wait_until_finished(sdk, speech_bucket, job["JobId"])
    both = sdk.ci_get_media_jobs(Bucket=speech_bucket, JobIDs=job["JobId"], ContentType="application/xml")
    assert both["JobsDetail"][0]["State"] == "Success"


def test_unknown_job_is_no_error(sdk: CosSdk, speech_bucket: str) -> None:
    known = submit(sdk, speech_bucket)["JobId"]
    response = sdk.ci_get_asr_job(speech_bucket, f"{known},s0")
    assert [job["JobId"] for job in response["JobsDetail"]] == [known]
    assert response["NonExistJobIds"] == "s0"


def test_sdk_reports_ci_errors_as_unknown(sdk: CosSdk, bucket: str) -> None:
    with pytest.raises(Exception, match=r".") as caught:
        submit(sdk, bucket)
    error: Any = caught.value
    assert error.get_error_code() == "Unknown"
    assert error.get_status_code() == 400
    assert "<Code>AsrBucketUnBinded</Code>" in error.get_origin_msg()


def test_temporary_key_works_on_ci_with_sdk_token_header(
    cloud: StandIn, make_sdk: MakeSdk, speech_bucket: str
) -> None:
    key = cloud.admin("POST", "keys")
    sdk = make_sdk(cloud, SecretId=key["secret_id"], SecretKey=key["secret_key"], Token=key["token"])
    assert sdk.ci_get_asr_queue(speech_bucket)["TotalCount"] == "1"
    assert submit(sdk, speech_bucket)["State"] == "Submitted"
