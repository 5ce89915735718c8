"""Files and folders as arguments of `scribe demo`."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.local.recordings import InvalidArguments, load_own_recordings


def create(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def load_keys(*paths: Path) -> list[str]:
    return [upload.key for upload in load_own_recordings(paths).uploads]


def get_problems(*paths: Path) -> list[str]:
    with pytest.raises(InvalidArguments) as caught:
        load_own_recordings(paths)
    return str(caught.value).splitlines()


def test_folder_gives_every_recording_below_it_with_its_path(tmp_path: Path) -> None:
    create(tmp_path, "会议 一.mp3", "b/second.WAV", "b/c/third.m4a")
    assert load_keys(tmp_path) == ["会议 一.mp3", "b/second.WAV", "b/c/third.m4a"]


def test_other_files_of_a_folder_are_counted_by_reason(tmp_path: Path) -> None:
    create(tmp_path, "a.mp3", "a.mp3.transcript.txt", "cover.jpg", "b/back.jpg", "README", ".hidden.mp3")
    create(tmp_path, ".git/objects/a.mp3", "note.txt")
    own = load_own_recordings([tmp_path])
    assert [upload.key for upload in own.uploads] == ["a.mp3"]
    (note,) = own.notes
    assert note.startswith(f"{tmp_path}: 7 files left out (2 ")
    for part in ("2 .jpg", "2 hidden", "1 .txt", "1 .transcript.txt", "1 without an extension"):
        assert part in note


def test_folder_with_recordings_only_needs_no_note(tmp_path: Path) -> None:
    create(tmp_path, "a.mp3")
    assert load_own_recordings([tmp_path]).notes == []


def test_second_file_of_one_key_gets_a_number(tmp_path: Path) -> None:
    create(tmp_path, "one/d/a.mp3", "two/d/a.mp3", "three/a.mp3")
    keys = load_keys(
        tmp_path / "one", tmp_path / "two", tmp_path / "three" / "a.mp3", tmp_path / "one/d/a.mp3"
    )
    assert keys == ["d/a.mp3", "d/a-2.mp3", "a.mp3", "a-2.mp3"]


def test_every_wrong_argument_is_reported_at_once(tmp_path: Path) -> None:
    create(tmp_path, "a.mp3", "note.docx", "README", "empty/cover.jpg")
    missing, note, readme, empty = (tmp_path / name for name in ("no.mp3", "note.docx", "README", "empty"))
    assert get_problems(missing, tmp_path / "a.mp3", note, readme, empty)[:4] == [
        f"{missing}: no such file or folder",
        f"{note}: not a recording by its name (.docx)",
        f"{readme}: not a recording by its name (without an extension)",
        f"{empty}: no recordings in this folder; 1 file left out (1 .jpg)",
    ]


def test_extensions_are_listed_once_where_one_is_wrong(tmp_path: Path) -> None:
    create(tmp_path, "a.docx", "b.docx")
    *_, extensions = problems = get_problems(tmp_path / "a.docx", tmp_path / "b.docx")
    assert len(problems) == 3
    assert extensions.startswith("Recordings end in aac, amr, flac,")
    assert len(get_problems(tmp_path / "missing.mp3")) == 1


def test_name_too_long_for_the_text_beside_it_is_refused(tmp_path: Path) -> None:
    longest = f"{'长' * 78}ab.mp3"
    create(tmp_path, longest, f"a{longest}", f"{longest}.transcript.txt")
    (upload,) = load_own_recordings([tmp_path / longest]).uploads
    assert upload.sidecar
    assert "(with a name longer than 240 bytes)" in get_problems(tmp_path / f"a{longest}")[0]


def test_loop_of_folders_ends(tmp_path: Path) -> None:
    create(tmp_path, "a.mp3")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    assert load_keys(tmp_path) == ["a.mp3"]
