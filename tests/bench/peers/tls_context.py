"""What a first request over https costs besides, whoever makes it: a context with certifi's authorities, in ms."""

import ssl
import sys
import time

import certifi

began_s = time.perf_counter()
ssl.create_default_context(cafile=certifi.where())
sys.stdout.write(str((time.perf_counter() - began_s) * 1000))
