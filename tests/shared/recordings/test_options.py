from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.recordings.options import Options, WrongOption, options_for


def test_without_metadata_the_settings_decide() -> None:
    assert options_for("16k_zh", {}) == Options("16k_zh", 1)
    assert options_for("16k_zh", {"engine": " ", "channels": "", "title": "x"}) == Options("16k_zh", 1)


def test_a_recording_may_ask_for_its_own_engine() -> None:
    assert options_for("16k_zh", {"engine": "16k_en"}) == Options("16k_en", 1)
    assert options_for("16k_zh", {"engine": " 16k_zh-PY "}) == Options("16k_zh-PY", 1)


def test_a_telephone_recording_may_have_one_party_on_each_channel() -> None:
    assert options_for("16k_zh", {"engine": "8k_zh", "channels": "2"}) == Options("8k_zh", 2)
    assert options_for("8k_zh", {"channels": " 2 "}) == Options("8k_zh", 2)


def test_two_channels_with_another_engine_are_refused_and_both_are_named() -> None:
    with pytest.raises(WrongOption, match=r"x-cos-meta-channels is 2.*8k_.*16k_zh"):
        options_for("16k_zh", {"channels": "2"})


@pytest.mark.parametrize("channels", ["0", "3", "stereo", "1.0", "-1", "２", "1,2"])
def test_a_number_of_channels_that_cannot_be_is_refused(channels: str) -> None:
    with pytest.raises(WrongOption, match="x-cos-meta-channels"):
        options_for("8k_zh", {"channels": channels})


@pytest.mark.parametrize("engine", ["16k zh", "<a/>", "x", "英文", "a" * 41, "16k_zh\n16k_en", "../x"])
def test_an_engine_that_cannot_be_one_is_refused(engine: str) -> None:
    with pytest.raises(WrongOption, match="x-cos-meta-engine"):
        options_for("16k_zh", {"engine": engine})


@given(
    metadata=st.dictionaries(
        st.sampled_from(["engine", "channels", "title"]), st.text(max_size=300), max_size=3
    )
)
@settings(max_examples=100, deadline=None)
def test_any_metadata_gives_options_or_one_short_line(metadata: dict[str, str]) -> None:
    try:
        assert options_for("8k_zh", metadata).channels in {1, 2}
    except WrongOption as wrong:
        assert len(str(wrong)) < 800  # noqa: PT017 - giving options is right as well
        assert "\n" not in str(wrong)  # noqa: PT017
