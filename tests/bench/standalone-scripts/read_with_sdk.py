"""Parse a long result as `ci_get_asr_job` of cos-python-sdk-v5 does; print seconds, and MiB that this added.

Its last steps are `xml_to_dict`, which also prints the mapping and evaluates the text, and `format_dict`.
"""

import json
import sys
import time
from pathlib import Path

from peak_memory import peak_mib
from qcloud_cos.cos_comm import format_dict, xml_to_dict

mib_before = peak_mib()
body = Path(sys.argv[1]).read_bytes()
start_s = time.process_time()
response = xml_to_dict(body)
format_dict(response, ["JobsDetail"])
parsed_s = time.process_time()
details = response["JobsDetail"][0]["Operation"]["SpeechRecognitionResult"]["ResultDetail"]
report = {
    "parse_s": parsed_s - start_s,
    "mib": peak_mib() - mib_before,
    "words": sum(len(detail["Words"]) for detail in details),
}
sys.stdout.write(json.dumps(report))
