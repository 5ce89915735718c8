from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.recordings.options import InvalidOption, RecordingOptions, parse_options


def test_settings_apply_without_metadata() -> None:
    assert parse_options("16k_zh", {}) == RecordingOptions("16k_zh", 1)
    assert parse_options("16k_zh", {"engine": " ", "channels": "", "title": "x"}) == RecordingOptions(
        "16k_zh", 1
    )


def test_metadata_selects_the_engine() -> None:
    assert parse_options("16k_zh", {"engine": "16k_en"}) == RecordingOptions("16k_en", 1)
    assert parse_options("16k_zh", {"engine": " 16k_zh-PY "}) == RecordingOptions("16k_zh-PY", 1)


def test_metadata_selects_two_channels() -> None:
    assert parse_options("16k_zh", {"engine": "8k_zh", "channels": "2"}) == RecordingOptions("8k_zh", 2)
    assert parse_options("8k_zh", {"channels": " 2 "}) == RecordingOptions("8k_zh", 2)


def test_two_channels_need_a_telephone_engine() -> None:
    with pytest.raises(InvalidOption, match=r"x-cos-meta-channels is 2.*8k_.*16k_zh"):
        parse_options("16k_zh", {"channels": "2"})


@pytest.mark.parametrize("channels", ["0", "3", "stereo", "1.0", "-1", "２", "1,2"])
def test_invalid_channels_are_rejected(channels: str) -> None:
    with pytest.raises(InvalidOption, match="x-cos-meta-channels"):
        parse_options("8k_zh", {"channels": channels})


@pytest.mark.parametrize("engine", ["16k zh", "<a/>", "x", "英文", "a" * 41, "16k_zh\n16k_en", "../x"])
def test_invalid_engine_is_rejected(engine: str) -> None:
    with pytest.raises(InvalidOption, match="x-cos-meta-engine"):
        parse_options("16k_zh", {"engine": engine})


@given(
    metadata=st.dictionaries(
        st.sampled_from(["engine", "channels", "title"]), st.text(max_size=300), max_size=3
    )
)
@settings(max_examples=100, deadline=None)
def test_any_metadata_gives_options_or_a_short_message(metadata: dict[str, str]) -> None:
    try:
        assert parse_options("8k_zh", metadata).channels in {1, 2}
    except InvalidOption as error:
        assert len(str(error)) < 800  # noqa: PT017 - valid metadata raises nothing
        assert "\n" not in str(error)  # noqa: PT017
