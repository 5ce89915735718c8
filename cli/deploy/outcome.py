"""What `scribe doctor` says right after a deployment."""

from __future__ import annotations

from collections.abc import Iterator

from cli.cloud.waiting import Waiting
from cli.doctor.examine import ADDRESS, examine, examine_again
from cli.doctor.finding import Finding, State
from cli.doctor.hands import Hands
from cli.manifest.models import Manifest

LONGEST_WAIT_S = 60.0  # until a new address is known everywhere


def outcome(hands: Hands, wanted: Manifest, label: str, waiting: Waiting) -> Iterator[Finding]:
    """All findings. An address that does not answer is looked at again for a minute before that is told."""
    for finding in examine(hands, wanted, label):
        if finding.name == ADDRESS and finding.state is State.WRONG:
            yield from _settled(hands, wanted, waiting)
        else:
            yield finding


def _settled(hands: Hands, wanted: Manifest, waiting: Waiting) -> list[Finding]:
    found: list[Finding] = []
    for _ in waiting.looks(LONGEST_WAIT_S):
        found = examine_again(ADDRESS, hands, wanted)
        if all(one.state is not State.WRONG for one in found):
            break
    return found
