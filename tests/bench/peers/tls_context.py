"""What a first request over https costs besides, whoever makes it: a context with certifi's authorities, in ms."""

import ssl
import sys
import time

began_s = time.perf_counter()
import certifi  # noqa: E402 - a part of the cost

ssl.create_default_context(cafile=certifi.where())
sys.stdout.write(str((time.perf_counter() - began_s) * 1000))
