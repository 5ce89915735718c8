"""Fault injection: uploads while faults occur, repairs without faults, and checks of the result from outside.

__main__.py      `make chaos`: one run; prints its counts as JSON, then what is wrong, then one sentence
run.py           the stages of a run: uploads with faults, then sweeps without, twice
workload.py      what is uploaded with a seed, and what is done to it
deployment.py    how Scribe is deployed with a seed: versioning, prefixes
faults.py        the fault plan of a seed
neighbour.py     a neighbour in the same account that forges jobs and notifications
planter.py       a stronger one that plants objects below STATE_PREFIX
cloud.py         the local cloud with its admin pages; repairs
observations.py  what is collected during a run: objects, jobs, invocations, requests
expected.py      the results that each uploaded content must have
checks.py        compares observations with expectations
trust.py         those of the checks that are about the neighbours
report.py        the counts, the sentence, the history of a recording
kill_points.py   functions killed at one of their requests
"""
