"""Reads a long result as cos-python-sdk-v5 does: seconds, and MiB on top of what was held before."""

import json
import sys
import time
from pathlib import Path
from xml.etree import ElementTree as ET

from memory import peak_mib
from qcloud_cos.xml2dict import Xml2Dict

before_mib = peak_mib()
body = Path(sys.argv[1]).read_bytes()
began_s = time.process_time()
answer = Xml2Dict(ET.fromstring(body))  # noqa: S314 - our own file
ended_s = time.process_time()
details = answer["JobsDetail"]["Operation"]["SpeechRecognitionResult"]["ResultDetail"]
told = {
    "parse_s": ended_s - began_s,
    "mib": peak_mib() - before_mib,
    "words": sum(len(detail["Words"]) for detail in details),
}
sys.stdout.write(json.dumps(told))
