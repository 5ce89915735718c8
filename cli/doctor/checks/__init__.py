"""The checks of `scribe doctor`, in the order in which they run. Each is a function from a CheckContext to findings.

The functions are in modules by topic and change nothing; `runner.py` runs them. Before them `command.py` reports
whether the settings are valid (`settings`) and the key can be read. Scripts read the names.
"""

from __future__ import annotations

from cli.doctor.checks import (
    account,
    functions,
    notices,
    receipts,
    recordings,
    rules,
    speech,
    storage,
    triggers,
)
from cli.doctor.models import Check

ADDRESS, OLD_RECORDINGS, NAMES, HOT_WORDS = "address", "old-recordings", "names", "hot-words"
RULES = "rules"
RECEIPT_CHECKS = ("waiting", "receipts")  # whose findings are about recordings that were uploaded earlier
_REGION = ("key", "region")
_ACCOUNT = ("key", "account", "region")  # with a key of another account these checks say nothing
_SPEECH = (*_ACCOUNT, "binding")  # an unbound bucket has no queue either
_BUCKET = (*_ACCOUNT, "bucket")  # with a wrong bucket name these would each report the same cause

CHECKS = (
    Check("clock", account.check_clock, needs=()),
    Check("key", account.check_key, needs=("clock",)),
    Check("account", account.check_account),
    Check("region", account.check_region),
    Check("bucket", storage.check_buckets, needs=_ACCOUNT),
    Check("versioning", storage.check_versioning, needs=_ACCOUNT, subjects_from="bucket"),
    Check("role", account.check_roles, needs=_BUCKET),
    Check("scf-role", account.check_scf_role),
    Check("ci-role", account.check_ci_role),
    Check("binding", speech.check_binding, needs=_ACCOUNT, subjects_from="bucket"),
    Check("speech-service", speech.check_service, needs=_SPEECH, subjects_from="bucket"),
    Check("content-recognition", speech.check_content_recognition, needs=_ACCOUNT),
    Check("queue", speech.check_queues, needs=_SPEECH, subjects_from="speech-service"),
    Check(HOT_WORDS, speech.check_hot_words, needs=_SPEECH, subjects_from="speech-service"),
    Check("function", functions.check_functions, needs=_REGION),
    Check("configuration", functions.check_configuration, needs=_REGION, subjects_from="function"),
    Check("variables", functions.check_variables, needs=_BUCKET, subjects_from="function"),
    Check("retries", functions.check_retries, needs=_REGION, subjects_from="function"),
    Check("package", functions.check_package, needs=_REGION, subjects_from="function"),
    Check("trigger", triggers.check_triggers, needs=_BUCKET, subjects_from="function"),
    Check("extra-trigger", triggers.check_extra_triggers, needs=_BUCKET, subjects_from="function"),
    Check("overlap", triggers.check_overlap, needs=_REGION),
    Check("loop", triggers.check_loops, needs=_REGION),
    Check(ADDRESS, functions.check_address, needs=_REGION, subjects_from="trigger"),
    Check("notification", speech.check_notifications, needs=_SPEECH, subjects_from="queue"),
    Check("unheard-recordings", recordings.check_missing_receipts, needs=_ACCOUNT, subjects_from="bucket"),
    Check("hidden-recordings", recordings.check_hidden_recordings, needs=_ACCOUNT, subjects_from="bucket"),
    Check(OLD_RECORDINGS, recordings.check_old_recordings, needs=_ACCOUNT, subjects_from="bucket"),
    Check(RULES, rules.check_rules, needs=_ACCOUNT),
    Check("waiting", receipts.check_waiting, needs=_ACCOUNT, subjects_from="bucket"),
    Check("receipts", receipts.check_unreadable_receipts, needs=_ACCOUNT, subjects_from="bucket"),
    Check(NAMES, receipts.check_names, needs=_ACCOUNT, subjects_from="bucket"),
    Check("notices", notices.check_notices, needs=_BUCKET, subjects_from="bucket"),
    Check("other-deployments", receipts.check_other_deployments, needs=_ACCOUNT, subjects_from="bucket"),
)
