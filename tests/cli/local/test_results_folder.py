"""The results folder of `scribe demo` over several runs."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from cli.local.results_folder import LIST_NAME, ResultsFolder, SaveReport


@pytest.fixture
def folder(tmp_path: Path) -> ResultsFolder:
    folder = ResultsFolder(tmp_path / "results")
    folder.create()
    return folder


def list_files(folder: ResultsFolder) -> set[str]:
    paths = {path.relative_to(folder.path).as_posix() for path in folder.path.rglob("*") if path.is_file()}
    return paths - {LIST_NAME}


def test_results_of_an_earlier_run_are_removed(folder: ResultsFolder) -> None:
    folder.save({"transcripts/sub/old.txt": b"1", "transcripts/both.txt": b"2"})
    report = folder.save({"transcripts/both.txt": b"3", "transcripts/new.txt": b"4"})
    assert list_files(folder) == {"transcripts/both.txt", "transcripts/new.txt"}
    assert (folder.path / "transcripts/both.txt").read_bytes() == b"3"
    assert report == SaveReport(removed=1)
    assert not (folder.path / "transcripts/sub").exists()


def test_files_of_the_user_stay(folder: ResultsFolder) -> None:
    folder.save({"transcripts/a.txt": b"1", "transcripts/b.txt": b"2"})
    (folder.path / "transcripts/a.txt").write_bytes(b"corrected by hand")
    (folder.path / "transcripts/notes.md").write_bytes(b"mine")
    report = folder.save({"transcripts/c.txt": b"3"})
    assert list_files(folder) == {"transcripts/a.txt", "transcripts/notes.md", "transcripts/c.txt"}
    assert report == SaveReport(removed=1, others=2)


def test_file_of_the_user_in_the_way_gets_another_name(folder: ResultsFolder) -> None:
    for content in (b"mine", b"mine too"):
        folder.save({"transcripts/a.txt": b"new"})
        (folder.path / "transcripts/a.txt").write_bytes(content)
    report = folder.save({"transcripts/a.txt": b"new"})
    assert (folder.path / "transcripts/a.txt").read_bytes() == b"new"
    assert (folder.path / "transcripts/a.txt.kept").read_bytes() == b"mine"
    assert report.renamed == (folder.path / "transcripts/a.txt.kept-2",)
    assert report.renamed[0].read_bytes() == b"mine too"


def test_same_result_again_changes_nothing(folder: ResultsFolder) -> None:
    folder.save({"transcripts/a.txt": b"1"})
    assert folder.save({"transcripts/a.txt": b"1"}) == SaveReport()


@pytest.mark.parametrize("text", ["", "[]", '{"../outside.txt": ""}', "not json"])
def test_list_that_is_wrong_removes_nothing(text: str, folder: ResultsFolder) -> None:
    outside = folder.path.parent / "outside.txt"
    outside.write_bytes(b"mine")
    digest = hashlib.sha256(b"mine").hexdigest()
    (folder.path / LIST_NAME).write_text(text.replace('""', f'"{digest}"'), "utf-8")
    folder.save({"transcripts/a.txt": b"1"})
    assert outside.read_bytes() == b"mine"
    assert list(json.loads((folder.path / LIST_NAME).read_text("utf-8"))) == ["transcripts/a.txt"]


def test_folder_that_cannot_be_created_names_the_option(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="--results"):
        ResultsFolder(tmp_path / "file" / "below").create()


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "二 月 a.wav"
    path.write_bytes(b"sound")
    return path


def test_recording_is_beside_its_page_and_goes_with_it(folder: ResultsFolder, recording: Path) -> None:
    name = "transcripts/二 月/a.wav"
    for _ in range(2):
        report = folder.save({f"{name}.html": b"page"}, {name: recording})
        assert report == SaveReport()
        assert (folder.path / name).read_bytes() == b"sound"
    report = folder.save({"transcripts/b.html": b"page"})
    assert list_files(folder) == {"transcripts/b.html"}
    assert report == SaveReport(removed=2)
    assert recording.read_bytes() == b"sound"


def test_recording_of_the_same_name_replaces_the_one_of_an_earlier_run(
    folder: ResultsFolder, recording: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.wav"
    other.write_bytes(b"other sound")
    for target in (recording, other):
        folder.save({"transcripts/a.wav.html": b"page"}, {"transcripts/a.wav": target})
    assert (folder.path / "transcripts/a.wav").read_bytes() == b"other sound"
    assert recording.read_bytes() == b"sound"


@pytest.mark.parametrize("name", ["transcripts/mine.wav", "transcripts/a.html"])
def test_recording_takes_no_name_of_a_file(folder: ResultsFolder, recording: Path, name: str) -> None:
    mine = folder.path / "transcripts/mine.wav"
    mine.parent.mkdir()
    mine.write_bytes(b"mine")
    report = folder.save({"transcripts/a.html": b"page"}, {name: recording})
    assert (mine.read_bytes(), (folder.path / "transcripts/a.html").read_bytes()) == (b"mine", b"page")
    assert report == SaveReport(others=1)


def test_recording_that_was_moved_away_leaves_no_broken_link(folder: ResultsFolder, recording: Path) -> None:
    folder.save({"transcripts/a.wav.html": b"page"}, {"transcripts/a.wav": recording})
    recording.unlink()
    folder.save({"transcripts/b.wav.html": b"page"})
    assert not (folder.path / "transcripts/a.wav").is_symlink()
