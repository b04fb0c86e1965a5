import pytest

from keras_shrink.whole_file import write_whole


def test_a_write_that_breaks_off_leaves_what_was_there_and_nothing_else(tmp_path):
    path = tmp_path / "kept.json"
    write_whole(path, lambda waiting: waiting.write_text("first"))

    def broken(waiting):
        waiting.write_text("sec")
        assert path.read_text() == "first"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(path, broken)
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_written_takes_the_place_and_has_the_same_ending(tmp_path):
    endings = []

    def write(waiting):
        endings.append(waiting.suffix)
        waiting.write_text("second")

    (tmp_path / "model.keras").write_text("first")
    write_whole(tmp_path / "model.keras", write)
    assert (tmp_path / "model.keras").read_text() == "second"
    assert endings == [".keras"]
