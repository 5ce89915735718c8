"""Create a TLS context with certifi's authorities, as a first https request does; print the time in ms."""

import ssl
import sys
import time

start_s = time.perf_counter()
import certifi  # noqa: E402 - a part of the cost

ssl.create_default_context(cafile=certifi.where())
sys.stdout.write(str((time.perf_counter() - start_s) * 1000))
