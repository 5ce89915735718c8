"""`scribe explain`: what would happen to one key and why, from settings, rules, metadata and sidecar.

explain.py   pure: settings, rules, key, metadata, sidecar -> Explanation
cloud.py     what the bucket says: metadata, sidecar, receipt -> State
render.py    an Explanation for people (JSON: Explanation.as_json)
command.py   the command
"""
