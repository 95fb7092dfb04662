"""Only files with known names are removed from the disk."""

from __future__ import annotations

from pathlib import Path

from paznja.disk import remove_known


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
