"""`scribe notify`: the targets of notices with their state, test notices. `states.py` reads, `probe.py` sends."""
