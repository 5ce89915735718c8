"""Reads a long result as `ci_get_asr_job` of cos-python-sdk-v5 does: seconds, and MiB on top of what was held before.

Its last steps are `xml_to_dict`, which also prints the mapping and evaluates the text, and `format_dict`.
"""

import json
import sys
import time
from pathlib import Path

from memory import peak_mib
from qcloud_cos.cos_comm import format_dict, xml_to_dict

before_mib = peak_mib()
body = Path(sys.argv[1]).read_bytes()
began_s = time.process_time()
answer = xml_to_dict(body)
format_dict(answer, ["JobsDetail"])
ended_s = time.process_time()
details = answer["JobsDetail"][0]["Operation"]["SpeechRecognitionResult"]["ResultDetail"]
told = {
    "parse_s": ended_s - began_s,
    "mib": peak_mib() - before_mib,
    "words": sum(len(detail["Words"]) for detail in details),
}
sys.stdout.write(json.dumps(told))
