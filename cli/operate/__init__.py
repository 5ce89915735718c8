"""The commands of every day: which recordings are open, why, again, the old archive, what it costs.

    workspace.py   settings, the operator's key and the buckets, for every command here
    row.py  rows.py   one recording with its state, as `scribe list` shows it; many, read with few requests
    story_reader.py  story_events.py  story.py   one recording: what the cloud says, what happened, what comes next
    text.py        lines, paragraphs and columns for a terminal
    list_command.py  why.py  retry.py  backfill.py  forget.py  cost.py  pages.py   one command each

All of them read receipts, the index (shared/recordings/index.py) and objects, and pass every change through the
functions' own code, so that nothing is paid twice. None of them needs a database or a server.
"""
