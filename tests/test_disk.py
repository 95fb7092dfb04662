"""What is removed or replaced on the disk is known by its name; all else stays."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from paznja.disk import put_in_place, remove_known
from paznja.errors import TrainingFailed


def test_a_folder_of_known_files_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "a.txt").write_text("a")
    assert remove_known(folder, lambda name: name == "a.txt")
    assert not folder.exists()


def test_what_is_not_known_stays_with_the_folder_around_it(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    (folder / "a.txt.d").mkdir(parents=True)
    for name in ("a.txt", "a.txt copy", "diary.txt"):
        (folder / name).write_text(name)
    assert not remove_known(folder, lambda name: name in ("a.txt", "a.txt.d"))
    assert sorted(path.name for path in folder.iterdir()) == ["a.txt copy", "a.txt.d", "diary.txt"]


def test_a_link_is_neither_followed_nor_removed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.txt").write_text("a")
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "a.txt").symlink_to(elsewhere / "a.txt")
    link = tmp_path / "link"
    link.symlink_to(elsewhere)
    assert not remove_known(folder, lambda name: True)
    assert not remove_known(link, lambda name: True)
    assert (elsewhere / "a.txt").read_text() == "a"
    assert (folder / "a.txt").is_symlink()


def test_a_folder_that_is_not_there_counts_as_removed(tmp_path: Path) -> None:
    assert remove_known(tmp_path / "none", lambda name: True)


@pytest.fixture
def making(tmp_path: Path) -> Path:
    """A finished folder with `a.txt` in it, still under another name."""
    folder = tmp_path / ".made.new"
    folder.mkdir()
    (folder / "a.txt").write_text("new")
    return folder


def put(making: Path, place: Path) -> None:
    """Put the folder in its place, where `a.txt` is known, and whole if it says something."""
    put_in_place(
        making,
        place,
        "--cache",
        is_whole=lambda: (place / "a.txt").is_file() and (place / "a.txt").read_text() != "",
        is_own=lambda folder: [path.name for path in folder.iterdir()] == ["a.txt"],
        is_known=lambda name: name == "a.txt",
    )


def test_a_finished_folder_gets_its_name_also_where_a_damaged_one_has_it(making: Path, tmp_path: Path) -> None:
    free, taken = tmp_path / "free", tmp_path / "taken"
    taken.mkdir()
    (taken / "a.txt").write_text("")
    for place in (taken, free):
        finished = shutil.copytree(making, tmp_path / f".{place.name}.new")
        put(finished, place)
        assert (place / "a.txt").read_text() == "new"
        assert not finished.exists()


def test_what_a_quicker_process_put_there_stays(making: Path, tmp_path: Path) -> None:
    place = tmp_path / "made"
    place.mkdir()
    (place / "a.txt").write_text("quicker")
    put(making, place)
    assert (place / "a.txt").read_text() == "quicker"
    assert making.is_dir()


def test_a_strangers_folder_file_or_link_is_not_replaced(making: Path, tmp_path: Path) -> None:
    folder, within, file, link = tmp_path / "folder", tmp_path / "within", tmp_path / "file", tmp_path / "link"
    (folder / "diary").mkdir(parents=True)
    (within / "a.txt" / "diary").mkdir(parents=True)
    file.write_text("mine")
    link.symlink_to(folder)
    for place in (folder, within, file, link):
        with pytest.raises(TrainingFailed, match=f"paznja did not make {place}: move it, or choose another folder with --cache"):
            put(making, place)
    assert (folder / "diary").is_dir()
    assert (within / "a.txt" / "diary").is_dir()
    assert file.read_text() == "mine"
    assert link.is_symlink()


def test_a_folder_that_cannot_be_renamed_at_all_is_not_blamed_on_a_stranger(making: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        put(making, tmp_path / "nowhere" / "made")
