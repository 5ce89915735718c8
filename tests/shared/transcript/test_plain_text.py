"""Plain text: paragraphs, labels, spaces."""

from itertools import accumulate

import pytest

from shared.transcript import FORMATS, Layout, Transcript, name_transcript
from tests.helpers.transcripts import build_test_transcript


def render_text(transcript: Transcript) -> str:
    return FORMATS["txt"].render(transcript).decode()


@pytest.mark.parametrize(
    ("sentences", "text"),
    [
        (["Good morning.", "How are you?"], "Good morning. How are you?\n"),
        (["你好。", "我想改时间。"], "你好。我想改时间。\n"),
        (["他说：“好。”", "然后走了。"], "他说：“好。”然后走了。\n"),
        (["你好", "我想改时间"], "你好 我想改时间\n"),
        (["你好。", "Hello."], "你好。Hello.\n"),
        (["Hello.", "你好。"], "Hello. 你好。\n"),
    ],
)
def test_sentences_are_joined_as_their_script_requires(sentences: list[str], text: str) -> None:
    lines = "\n".join(f"[0:{n}.000,0:{n + 1}.000] {sentence}" for n, sentence in enumerate(sentences))
    assert render_text(build_test_transcript(lines=lines)) == text


def test_pause_over_two_seconds_starts_a_paragraph() -> None:
    lines = "[0:0.000,0:1.000] One.\n[0:3.000,0:4.000] Two.\n[0:6.001,0:7.000] Three."
    assert render_text(build_test_transcript(lines=lines)) == "One. Two.\n\nThree.\n"


def test_pause_counts_from_the_latest_end() -> None:
    lines = "[0:0.000,0:10.000] Long.\n[0:1.000,0:2.000] Within.\n[0:11.000,0:12.000] After."
    assert render_text(build_test_transcript(lines=lines)) == "Long. Within. After.\n"


def test_change_of_speaker_starts_a_labelled_paragraph() -> None:
    lines = "[0:0.000,0:1.000,0] One.\n[0:1.000,0:2.000,0] Two.\n[0:2.000,0:3.000,1] Three."
    assert render_text(build_test_transcript(lines=lines)) == "Speaker 1: One. Two.\n\nSpeaker 2: Three.\n"
    assert (
        render_text(build_test_transcript(lines=lines, channels=2))
        == "Channel 1: One. Two.\n\nChannel 2: Three.\n"
    )


def test_hour_without_a_pause_is_split_into_paragraphs() -> None:
    sentence = "And so it went on without a pause."
    ends = accumulate([3] * 1_200, initial=0)
    lines = "\n".join(f"[0:{start},0:{start + 3}] {sentence}" for start in ends)
    paragraphs = render_text(build_test_transcript(lines=lines)).split("\n\n")
    assert max(map(len, paragraphs)) < 700
    assert min(map(len, paragraphs[:-1])) > 500


def test_paragraph_begins_with_its_time_on_request() -> None:
    lines = "[0:0.900,0:1.000,0] One.\n[0:1.000,0:2.000,0] Two.\n[61:5.999,61:7.000,1] Three.\n[6000:0,6000:1,0] Four."
    transcript = build_test_transcript(lines=lines)._replace(layout=Layout(has_times=True))
    assert render_text(transcript).split("\n\n") == [
        "[00:00:00] Speaker 1: One. Two.",
        "[01:01:05] Speaker 2: Three.",
        "[100:00:00] Speaker 1: Four.\n",
    ]


def test_title_has_no_time() -> None:
    transcript = build_test_transcript(lines="[0:1.000,0:2.000] One.")
    named = name_transcript(transcript, "周会", (), {}, Layout(has_times=True))
    assert render_text(named) == "周会\n\n[00:00:01] One.\n"
