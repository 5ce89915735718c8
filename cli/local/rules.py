"""The operator's rules.yml on the local cloud, where the bucket has another name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from cli.config import PROJECT_FOLDER
from cli.language import _
from cli.local.emulator import INPUT_BUCKET
from cli.local.samples import Upload
from cli.rules.models import RulesFile
from shared.options.rules import match_rules


def load_local_rules() -> RulesFile | None:
    """Load rules.yml of the checkout. Raises RulesError."""
    # The validators of the other commands take a fifth of a second to import.
    from cli.rules.loader import load_rules  # noqa: PLC0415

    return load_rules(PROJECT_FOLDER)


def describe_rules(file: RulesFile | None) -> Iterator[str]:
    """Yield a line about the rules, and one for each that is for another bucket; nothing without rules."""
    if not file:
        return
    yield _("{summary}, from {path}", summary=file.summary, path=file.path)
    for rule in file.rules:
        if rule.buckets and INPUT_BUCKET not in rule.buckets:
            yield _(
                "{rule} does not apply here: it is for {buckets}, not {bucket}",
                rule=rule.source,
                buckets=_(", ").join(rule.buckets),
                bucket=INPUT_BUCKET,
            )


def with_rule_formats(upload: Upload, file: RulesFile | None) -> Upload:
    """Return the upload with the formats that the rules choose for it."""
    formats = upload.formats
    for rule in match_rules(file.rules, INPUT_BUCKET, upload.key) if file else ():
        value = rule.choices["formats"].value if "formats" in rule.choices else formats
        formats = value if isinstance(value, tuple) else formats
    return replace(upload, formats=formats)
