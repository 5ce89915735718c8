"""The upload function on cos-python-sdk-v5, written like Tencent's examples: existence check, receipt, job, receipt."""

import json
import logging
import os
from hashlib import sha256
from typing import Any

from qcloud_cos import CosConfig, CosS3Client

logging.getLogger().setLevel(logging.INFO)  # as the examples do: SCF's own level is DEBUG


def main_handler(event: dict[str, Any], context: dict[str, Any]) -> dict[str, Any]:
    """Return the ids of the submitted jobs."""
    region, output_bucket = os.environ["REGION"], os.environ["OUTPUT_BUCKET"]
    config = CosConfig(
        Region=region,
        SecretId=os.environ["TENCENTCLOUD_SECRETID"],
        SecretKey=os.environ["TENCENTCLOUD_SECRETKEY"],
        Token=os.environ["TENCENTCLOUD_SESSIONTOKEN"],
        Scheme="http",
        Proxies={"http": os.environ["CLOUD_ENDPOINT"]},
    )
    client = CosS3Client(config)
    jobs = []
    for record in event["Records"]:
        cos_bucket = record["cos"]["cosBucket"]
        bucket = f"{cos_bucket['name']}-{cos_bucket['appid']}"
        key = record["cos"]["cosObject"]["key"].replace(
            f"/{cos_bucket['appid']}/{cos_bucket['name']}/", "", 1
        )
        etag = client.head_object(Bucket=bucket, Key=key)["ETag"]
        receipt_id = sha256(f"{bucket}/{key}/{etag}".encode()).hexdigest()
        receipt_key = f".sdk/open/{receipt_id}"
        if client.object_exists(Bucket=output_bucket, Key=receipt_key):
            continue
        receipt = {"bucket": bucket, "key": key, "etag": etag}
        client.put_object(Bucket=output_bucket, Key=receipt_key, Body=json.dumps(receipt).encode())
        response = client.ci_create_asr_job(
            Bucket=bucket,
            InputObject=key,
            OutputBucket=output_bucket,
            OutputRegion=region,
            OutputObject=f".sdk/raw/{receipt_id}.txt",
            SpeechRecognition={
                "EngineModelType": os.environ["ENGINE"],
                "ChannelNum": 1,
                "ResTextFormat": 2,
                "ConvertNumMode": 1,
            },
        )
        receipt["job"] = response["JobsDetail"]["JobId"]
        client.put_object(Bucket=output_bucket, Key=receipt_key, Body=json.dumps(receipt).encode())
        jobs.append(receipt["job"])
    return {"jobs": jobs}
