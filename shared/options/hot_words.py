"""Which template of CI has the hot words of a recording.

CI takes hot words only from a template, and a template replaces every other member of the job. So `scribe deploy`
keeps one template for each list of hot words with each set of members that the rules give, and writes the ids of the
templates into an object beside the receipts, which the functions read:

    {"version": 1, "templates": {"<input bucket>": {"<template_key>": "<template id>"}}}
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

from shared.options.ci import build_job_members
from shared.options.model import RecordingOptions

HOT_WORDS_FOLDER = "hot-words/"  # below STATE_PREFIX
MAX_OBJECT_BYTES = 1024 * 1024
_VERSION = 1
_KEY_LENGTH = 24


def template_key(options: RecordingOptions) -> str:
    """Return what identifies the template for a recording with these options: a digest of its list and its members."""
    members = build_job_members(options._replace(template=""), "").speech
    identity = json.dumps([options.hot_words, sorted(members.items())])
    return hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:_KEY_LENGTH]


def templates_object_key(state_prefix: str, deployment: str) -> str:
    """Return the key of the object with the templates; "" if the name of the deployment is not known.

    `deployment` as in a receipt: `<region>/<namespace>/<names of the functions without their last part>`.
    """
    return f"{state_prefix}{HOT_WORDS_FOLDER}{deployment.replace('/', '.')}.json" if deployment else ""


def find_templates_bucket(output_bucket: str, input_buckets: Sequence[str]) -> str:
    """Return the bucket of that object: OUTPUT_BUCKET, else the first of INPUT_BUCKETS by name."""
    return output_bucket or min(input_buckets)


def build_templates_object(templates: Mapping[str, Mapping[str, str]]) -> bytes:
    """Build the bytes of that object: by bucket, the id of each template by its key."""
    sorted_templates = {bucket: dict(sorted(ids.items())) for bucket, ids in sorted(templates.items()) if ids}
    document = {"version": _VERSION, "templates": sorted_templates}
    return json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n"


def parse_templates_object(body: bytes) -> dict[str, dict[str, str]]:
    """Parse what `build_templates_object` built. Raises ValueError for anything else."""
    document = json.loads(body)
    if not isinstance(document, dict) or document.get("version") != _VERSION:
        raise ValueError("its version is not known")
    templates = document.get("templates")
    if not isinstance(templates, dict) or not all(isinstance(ids, dict) for ids in templates.values()):
        raise ValueError("it has no templates")
    return {
        str(bucket): {str(key): str(template_id) for key, template_id in ids.items()}
        for bucket, ids in templates.items()
    }
