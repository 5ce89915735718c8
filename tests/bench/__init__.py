"""Benchmarks: measure Scribe and compare it with other implementations of the same upload function.

__main__.py         `make bench`: runs every measurement, prints a table, writes docs/benchmarks.md with --write
cold_start.py       time of a new process until its first event is handled
warm_event.py       time of an event in a running process
long_result.py      parsing a five-hour result and writing every output format
sweep_and_audit.py  sweep and audit with few and with many finished recordings
pipeline.py         requests for one recording, and many uploads at once
implementations.py  builds Scribe's package and the other implementations; size of the package
standalone-scripts/ the other implementations, and what else runs in a process of its own on SCF's Python. They are no
                    package and import nothing of this project; only `read_with_scribe.py` imports Scribe's package
fixtures.py         a local cloud with many recordings, and sample events
instance.py         one implementation in its own process
report.py           metrics with goals; the table on the terminal and the Markdown page
page_zh.py          the page in Chinese, translated from docs/benchmarks.md
picture.py          bars of the most important figures, drawn from docs/benchmarks.md
flow_path.py        files and functions that one event passes (a program of its own)
"""
