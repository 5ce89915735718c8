"""Which template has the hot words of a recording, and the object with the ids of the templates."""

from __future__ import annotations

import pytest

from shared.options.combine import combine
from shared.options.hot_words import (
    build_templates_object,
    parse_templates_object,
    template_key,
    templates_object_key,
)
from shared.options.model import OPTIONS, RecordingOptions
from shared.options.parse import Choice
from tests.helpers.option_cases import CASES, OptionCase

WITH_WORDS = RecordingOptions(hot_words="hotwords/calls.txt")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_exactly_the_options_of_the_job_give_another_template(case: OptionCase) -> None:
    """Templates have no priority; and a recording with a template of its own has no hot words."""
    place = {"hot-words": Choice(WITH_WORDS.hot_words, "settings"), case.name: Choice(case.value, "settings")}
    options = combine(place).options
    is_of_the_job = bool(OPTIONS[case.name].element) and case.name not in {"template", "priority"}
    is_other = template_key(options) != template_key(WITH_WORDS)
    assert is_other == (is_of_the_job and options != WITH_WORDS)


def test_what_a_template_does_not_have_gives_the_same_template() -> None:
    same = WITH_WORDS._replace(
        priority=2, formats=("txt",), title="a", speaker_names=("b",), notify=False, template="t1"
    )
    assert template_key(same) == template_key(WITH_WORDS)


def test_another_list_gives_another_template() -> None:
    assert template_key(WITH_WORDS._replace(hot_words="hotwords/school.txt")) != template_key(WITH_WORDS)


def test_key_stays_the_same_in_every_version() -> None:
    """Functions of one version read what `scribe deploy` of another one wrote."""
    assert template_key(WITH_WORDS) == "17211d559024d595182ba8e5"


def test_object_is_beside_the_receipts_and_named_like_the_deployment() -> None:
    key = templates_object_key(".scribe/", "ap-guangzhou/default/scribe-prod-scribe-")
    assert key == ".scribe/hot-words/ap-guangzhou.default.scribe-prod-scribe-.json"
    assert templates_object_key(".scribe/", "") == ""


def test_object_is_read_as_it_was_written() -> None:
    templates = {"b-1": {"k2": "t2", "k1": "t1"}, "a-1": {}}
    body = build_templates_object(templates)
    assert parse_templates_object(body) == {"b-1": {"k1": "t1", "k2": "t2"}}
    assert body.index(b"k1") < body.index(b"k2")


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"[]", b"1", b'{"version": 2, "templates": {}}', b'{"version": 1}', b"\xff"),
        *(b'{"version": 1, "templates": []}', b'{"version": 1, "templates": {"a": "b"}}'),
    ],
)
def test_other_object_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - json's own error is one
        parse_templates_object(body)
