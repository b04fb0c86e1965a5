import os

import pytest

from tflite_export.folder import write_files


def test_creates_the_folder_and_its_subfolders(tmp_path):
    paths = write_files({"a/b.txt": "text", "c.bin": b"\x00"}, tmp_path / "new")
    assert [p.relative_to(tmp_path / "new").as_posix() for p in paths] == ["a/b.txt", "c.bin"]
    assert (tmp_path / "new" / "a" / "b.txt").read_text() == "text"


def test_leaves_other_files_alone(tmp_path):
    (tmp_path / "keep.txt").write_text("mine")
    write_files({"new.txt": "new"}, tmp_path)
    assert (tmp_path / "keep.txt").read_text() == "mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["keep.txt", "new.txt"]


def test_a_move_that_fails_puts_everything_back(tmp_path, monkeypatch):
    folder = tmp_path / "out"
    write_files({"a.txt": "old a", "b.txt": "old b"}, folder)
    move, moves = os.replace, []

    def fails_at_the_last(source, target):
        moves.append(target)
        if str(target).endswith("out/b.txt") and len(moves) < 6:
            raise OSError("disk full")
        move(source, target)

    monkeypatch.setattr(os, "replace", fails_at_the_last)
    with pytest.raises(OSError, match="disk full"):
        write_files({"a.txt": "new a", "b.txt": "new b"}, folder)
    assert (folder / "a.txt").read_text() == "old a"
    assert (folder / "b.txt").read_text() == "old b"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out"]


def test_a_folder_that_cannot_be_filled_is_not_left_behind(tmp_path, monkeypatch):
    def fails(source, target):
        raise OSError("no")

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(OSError, match="no"):
        write_files({"a.txt": "a"}, tmp_path / "out")
    assert not (tmp_path / "out").exists()
