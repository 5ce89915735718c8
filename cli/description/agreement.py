"""Whether the settings that the functions will read agree with what wakes the functions."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from cli.description.mistakes import Mistakes
from cli.description.triggers import bucket_of, rule_of
from cli.description.wanted import WantedFunction, WantedTrigger
from shared.errors import SettingsError
from shared.settings import Settings, load_settings


def read_settings(variables: Mapping[str, str], region: str, mistakes: Mistakes) -> Settings | None:
    """The settings as the functions will read them; None when they would not start.

    Without a `region`, which is another mistake, whatever depends on it is not told.
    """
    try:
        return load_settings({**variables, "TENCENTCLOUD_REGION": region})
    except SettingsError as error:
        for mistake in error.mistakes:
            name, _, rest = mistake.partition(" ")
            if "REGION" in name and not region:
                continue
            if rest != "is missing":
                mistakes.add_choice(f"{mistake}: change it in .env")
            elif not mistakes.is_needed(name):
                mistakes.add_choice(f"{mistake}: write it into .env, see .env.example")
        return None


def check_agreement(
    settings: Settings,
    functions: Mapping[str, WantedFunction],
    triggers: Collection[WantedTrigger],
    mistakes: Mistakes,
) -> None:
    """Writes down uploads that would wake nothing, or wake it for nothing, and what could be done twice."""
    rules = [trigger for trigger in triggers if trigger.type == "cos"]
    buckets = {bucket_of(rule) for rule in rules}
    for bucket in settings.input_buckets:
        if bucket not in buckets:
            mistakes.add_choice(
                f"INPUT_BUCKETS names {bucket}, but no cos trigger waits for its uploads: write "
                "${env:INPUT_BUCKETS} into the bucket of the trigger in serverless.yml"
            )
    for bucket in sorted(buckets - set(settings.input_buckets)):
        mistakes.add_choice(
            f"A cos trigger waits for uploads to {bucket}, which INPUT_BUCKETS does not name: the function would "
            "refuse its events; name it there, or take the trigger out of serverless.yml"
        )
    if len({bucket.rpartition("-")[2] for bucket in settings.input_buckets}) > 1:
        mistakes.add_choice(
            "INPUT_BUCKETS names buckets of more than one account: deploy once for each account"
        )
    for prefix in sorted({rule_of(rule)[1] for rule in rules} - {settings.input_prefix}):
        mistakes.add_choice(
            f"A cos trigger waits for keys that begin with {prefix!r}, but INPUT_PREFIX is "
            f"{settings.input_prefix!r}: write ${{env:INPUT_PREFIX}} into its filter in serverless.yml"
        )
    if not settings.sweep_after_s:  # for tests: attempts are taken for dead at once
        return
    for key in sorted({rule.function for rule in rules} & set(functions)):
        if functions[key].timeout_s >= settings.lease_s:
            mistakes.add(
                ("inputs", "functions", key, "timeout"),
                f"is {functions[key].timeout_s}; write less than {settings.lease_s:.0f}, after which its work counts "
                "as abandoned and another may submit it again",
            )
