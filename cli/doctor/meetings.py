"""Where rules meet: another function that takes our recordings, and outputs that wake a function again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cli.doctor.case import Case
from cli.doctor.finding import Finding, fine, note, wrong
from cli.doctor.rules import Rule, rule_of, rules_among
from shared.errors import SettingsError
from shared.recordings.keys import is_output_key
from shared.settings import Settings

DEPLOY = "scribe deploy"
# One name for each kind of object that the functions write, receipts first.
_STATE_NAMES = ("open/a!0", "done/a!0", "raw/a!0.txt", "raw/a!0.txt.detail")
_OUTPUT_NAMES = ("a.json", "a.txt", "a.srt", "a.vtt")


@dataclass(frozen=True, slots=True)
class _Written:
    """An object that a function could write. `is_state`: a receipt or a raw result, of no use to anyone else."""

    bucket: str
    host: str
    key: str
    is_state: bool


def overlap(case: Case) -> Iterator[Finding]:
    """SCF gives an object to one function only: a rule of another one keeps ours from being made."""
    ours = [
        rule_of(wanted.function, wanted.name, wanted.description, is_open=wanted.is_open)
        for wanted in case.wanted.triggers
        if wanted.type == "cos"
    ]
    met = False
    for rule in ours:
        for other in case.other_rules:
            if rule.overlaps(other):
                met = True
                yield wrong(
                    f"function {other.owner} already has a rule for {_told(other)}",
                    mend=f"delete that trigger in the SCF console, or name another bucket; then {DEPLOY}",
                    about=rule.host.partition(".")[0],
                )
    if not met:
        yield fine("no other function has a rule for these recordings")


def loop(case: Case) -> Iterator[Finding]:
    """Would what the functions write wake a function, and that one write again?"""
    written = list(dict.fromkeys(_written_as_deployed(case)))
    found = [*_own_loops(case, written), *_loops_of_others(case, written)]
    yield from found
    if not found:
        yield fine("no function is woken by what Scribe writes")


def _own_loops(case: Case, written: list[_Written]) -> Iterator[Finding]:
    """Upload leaves alone what it knows for an output, by its own settings: those of the writers must agree."""
    for key in case.functions:
        settings = _deployed_settings(case, key)
        for rule in rules_among(key, case.triggers[key]):
            taken = [one for one in written if rule.takes(one.host, one.key)]
            about = f"{key} cos {rule.host}"
            unknown = [one for one in taken if settings and not is_output_key(settings, one.bucket, one.key)]
            if unknown:
                yield wrong(
                    f"{key} takes what the functions write, such as {unknown[0].key}, for recordings: they would be "
                    "submitted again and again, and paid",
                    mend=f"give all functions the same OUTPUT_PREFIX, STATE_PREFIX and OUTPUT_BUCKET: {DEPLOY}",
                    about=about,
                )
            elif taken:
                yield note(
                    f"{key} is also woken by each transcript and receipt, and leaves them alone",
                    mend="an INPUT_PREFIX, or an OUTPUT_BUCKET of its own, saves these calls",
                    about=about,
                )


def _loops_of_others(case: Case, written: list[_Written]) -> Iterator[Finding]:
    for rule in case.other_rules:
        taken = [one for one in written if rule.takes(one.host, one.key)]
        if any(one.is_state for one in taken):
            yield wrong(
                f"function {rule.owner} is woken by every receipt, because its rule is for {_told(rule)}: what it "
                "writes for them may become a recording again, without end",
                mend=f"give its trigger a prefix outside {case.settings.state_prefix}, such as "
                f"{case.settings.output_prefix}, or give Scribe an OUTPUT_BUCKET of its own",
                about=rule.owner,
            )
        elif taken:
            yield note(
                f"function {rule.owner} is woken by transcripts, because its rule is for {_told(rule)}",
                mend="fine, as long as it writes nothing that is taken for a recording",
                about=rule.owner,
            )


def _written_as_deployed(case: Case) -> Iterator[_Written]:
    """What the functions would write with the settings that they have now."""
    for key in case.functions:
        settings = _deployed_settings(case, key)
        if settings is None:
            continue
        region = settings.output_region or case.wanted.region
        for bucket in dict.fromkeys(map(settings.output_bucket_for, settings.input_buckets)):
            host = f"{bucket}.cos.{region}.myqcloud.com"
            for prefix, names in (
                (settings.state_prefix, _STATE_NAMES),
                (settings.output_prefix, _OUTPUT_NAMES),
            ):
                for name in names:
                    yield _Written(bucket, host, prefix + name, names is _STATE_NAMES)


def _deployed_settings(case: Case, key: str) -> Settings | None:
    """None where they are wrong, which is another check's to tell: such a function writes nothing."""
    try:
        return case.settings_of(case.functions[key].variables)
    except SettingsError:
        return None


def _told(rule: Rule) -> str:
    keys = f"{rule.prefix}*{rule.suffix}" if rule.prefix or rule.suffix else "everything"
    return f"{keys} in {rule.host.partition('.')[0]}"
