import pytest

from keras_shrink.shrinking.record import Journal, StepRecord

STEP = StepRecord("prune_channels", 0.25, True, 0.9, 1000, 200, None, 1.5, "within the drop", "1.keras")


def test_steps_are_read_back(tmp_path):
    Journal(tmp_path / "new", {"seed": 0}).add(STEP)
    assert Journal(tmp_path / "new", {"seed": 0}).steps == [STEP]


def test_a_line_cut_off_by_a_kill_is_forgotten(tmp_path):
    journal = Journal(tmp_path, {"seed": 0})
    journal.add(STEP)
    journal.add(STEP)
    journal.path.write_bytes(journal.path.read_bytes()[:-20])
    again = Journal(tmp_path, {"seed": 0})
    assert again.steps == [STEP]
    again.add(STEP)
    assert Journal(tmp_path, {"seed": 0}).steps == [STEP, STEP]


def test_other_work_is_refused(tmp_path):
    Journal(tmp_path, {"seed": 0, "data": "a"}).add(STEP)
    with pytest.raises(ValueError, match="steps of other work: data, seed differ. Name another folder"):
        Journal(tmp_path, {"seed": 1, "data": "b"})


def test_damage_in_the_middle_is_refused(tmp_path):
    journal = Journal(tmp_path, {})
    journal.add(STEP)
    journal.path.write_text("{\n" + journal.path.read_text())
    with pytest.raises(ValueError, match="The record is damaged. Received: .*line 1."):
        Journal(tmp_path, {})
