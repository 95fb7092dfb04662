"""Removing takes what is known by its name, and nothing else; what other processes have open is waited for; names are good everywhere."""

from __future__ import annotations

import errno
import math
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paznja.disk import put_in_place, remove, remove_folder, remove_known, rename, why_not_a_name, write_atomically
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


def refused(winerror: int) -> PermissionError:
    """What Windows raises where something must not be done."""
    error = PermissionError(errno.EACCES, "refused")
    error.winerror = winerror  # pyright: ignore[reportAttributeAccessIssue]
    return error


class Refusing:
    """An operation that Windows refuses for the first few times."""

    def __init__(self, operation: Callable[..., None], times: float, error: PermissionError) -> None:
        self.operation, self.left, self.error = operation, times, error

    def __call__(self, *arguments: Path) -> None:
        self.left -= 1
        if self.left >= 0:
            raise self.error
        self.operation(*arguments)


@pytest.fixture
def waits() -> list[float]:
    """How long was waited."""
    return []


@pytest.mark.parametrize("winerror", [5, 32])
def test_a_file_that_another_process_has_open_for_a_moment_is_replaced_once_it_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waits: list[float], winerror: int
) -> None:
    (tmp_path / "a.txt").write_bytes(b"old")
    monkeypatch.setattr(os, "replace", Refusing(os.replace, 2, refused(winerror)))
    write_atomically(tmp_path / "a.txt", b"new", sleep=waits.append)
    assert (tmp_path / "a.txt").read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert len(waits) == 2


def test_a_file_that_another_process_keeps_open_stays_as_it_is_and_the_error_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    (tmp_path / "a.txt").write_bytes(b"old")
    monkeypatch.setattr(os, "replace", Refusing(os.replace, math.inf, refused(32)))
    with pytest.raises(PermissionError, match="refused"):
        write_atomically(tmp_path / "a.txt", b"new", sleep=waits.append)
    assert (tmp_path / "a.txt").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert 0.5 < sum(waits) < 2


def test_a_file_that_may_not_be_replaced_at_all_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    (tmp_path / "a.txt").write_bytes(b"old")
    monkeypatch.setattr(os, "replace", Refusing(os.replace, 1, PermissionError(errno.EPERM, "refused")))
    with pytest.raises(PermissionError):
        rename(tmp_path / "a.txt", tmp_path / "b.txt", sleep=waits.append)
    assert waits == []


def test_the_error_of_the_writing_goes_on_even_if_the_half_file_cannot_be_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    monkeypatch.setattr(os, "replace", Refusing(os.replace, math.inf, PermissionError(errno.EPERM, "not replaced")))
    monkeypatch.setattr(os, "unlink", Refusing(os.unlink, math.inf, PermissionError(errno.EPERM, "not removed")))
    with pytest.raises(PermissionError, match="not replaced"):
        write_atomically(tmp_path / "a.txt", b"new", sleep=waits.append)


def test_a_file_and_its_folder_are_removed_once_other_processes_have_closed_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "a.txt").touch()
    monkeypatch.setattr(os, "unlink", Refusing(os.unlink, 1, refused(32)))
    monkeypatch.setattr(os, "rmdir", Refusing(os.rmdir, 2, refused(5)))
    remove(folder / "a.txt", sleep=waits.append)
    remove(folder / "a.txt", sleep=waits.append)  # it need not be there
    remove_folder(folder, sleep=waits.append)
    assert not folder.exists()
    assert len(waits) == 3


@pytest.mark.parametrize(
    "name", ["most", "Мост 2", "na-drini_1.txt", ".hidden", "-", "console", "COM", "COM10", "nulla.txt", "a.b.c", "ш" * 100]
)
def test_a_name_that_every_system_knows_is_good(name: str) -> None:
    assert why_not_a_name(name) == ""


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "empty"),
        (".", "no name"),
        ("..", "no name"),
        ("a/b", "separates folders"),
        ("a?", "Windows does not allow"),
        ("C:", "Windows does not allow"),
        ("a\nb", "control character"),
        ("a\x7f", "control character"),
        ("a\udc80", "no text"),
        ("most.", "dot"),
        ("most ", "space"),
        ("con", "keeps con for a device"),
        ("NUL.txt", "keeps NUL for a device"),
        ("Aux.tar.gz", "device"),
        ("com1", "device"),
        ("LPT9 .md", "keeps LPT9 for a device"),
        ("COM²", "device"),
        ("ш" * 101, "longer than 200 bytes"),
    ],
)
def test_a_name_that_some_system_forbids_is_refused_with_the_reason(name: str, reason: str) -> None:
    assert reason in why_not_a_name(name)


@given(
    st.text(max_size=120) | st.builds("".join, st.lists(st.sampled_from(["con", "COM1", "nul", ".", " ", "x", "ш", "/", "\\", ":", "\0"])))
)
def test_a_name_that_is_accepted_can_be_created_and_stays_the_same(name: str) -> None:
    if why_not_a_name(name):
        return
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, name).touch()
        assert os.listdir(folder) == [name]
        Path(folder, name).unlink()
        Path(folder, name).mkdir()
        assert os.listdir(folder) == [name]
