import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_shrink import schedules

# Recorded from tensorflow_model_optimization 0.8.1: PolynomialDecay(0.2, 0.9, begin_step=10, end_step=110).
TFMOT_POLYNOMIAL = {10: 0.2, 11: 0.220790684, 35: 0.604687452, 60: 0.8125, 90: 0.8944, 110: 0.9}


def every_schedule():
    return [
        schedules.constant(0.5, begin_step=3),
        schedules.polynomial(0.1, 0.9, begin_step=3, end_step=40),
        schedules.cosine(0.1, 0.9, begin_step=3, end_step=40),
        schedules.cyclic(0.1, 0.9, begin_step=3, period=10, cycles=4),
    ]


@pytest.mark.parametrize("schedule", every_schedule(), ids=repr)
def test_a_schedule_is_zero_before_it_begins_and_constant_after_it_ends(schedule):
    assert schedule(2) == 0.0
    assert schedule(3) > 0.0
    assert {schedule(step) for step in range(schedule.end_step, schedule.end_step + 50)} == {schedule(10_000)}


@pytest.mark.parametrize("step", TFMOT_POLYNOMIAL)
def test_polynomial_agrees_with_tfmot(step):
    schedule = schedules.polynomial(0.2, 0.9, begin_step=10, end_step=110)
    assert schedule(step) == pytest.approx(TFMOT_POLYNOMIAL[step], abs=1e-6)


def test_cosine_is_halfway_at_half_time():
    assert schedules.cosine(0.2, 0.8, end_step=10)(5) == pytest.approx(0.5)


def test_cyclic_starts_each_cycle_low_and_ends_high():
    schedule = schedules.cyclic(0.2, 0.8, period=4, cycles=3)
    values = [schedule(step) for step in range(13)]
    assert values[0] == values[4] == values[8] == pytest.approx(0.2)
    assert values[12] == pytest.approx(0.8)
    assert all(a < b for start in (0, 4, 8) for a, b in itertools.pairwise(values[start : start + 4]))


@given(
    initial=st.floats(0, 0.99),
    final=st.floats(0, 0.99),
    begin=st.integers(0, 50),
    length=st.integers(0, 50),
    step=st.integers(0, 200),
    power=st.floats(0.01, 20),
)
def test_no_schedule_leaves_the_unit_interval(initial, final, begin, length, step, power):
    end = begin + length
    for schedule in (
        schedules.polynomial(initial, final, begin_step=begin, end_step=end, power=power),
        schedules.cosine(initial, final, begin_step=begin, end_step=end),
        schedules.cyclic(initial, final, period=length + 1, cycles=2, begin_step=begin),
    ):
        value = schedule(step)
        assert math.isfinite(value)
        assert 0.0 <= value < 1.0


def test_a_ramp_without_length_is_a_step():
    schedule = schedules.polynomial(0.0, 0.5, begin_step=7, end_step=7)
    assert [schedule(step) for step in (6, 7, 8)] == [0.0, 0.5, 0.5]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: schedules.constant(80),
            r"sparsity must be in \[0, 1\)\. Received: sparsity=80\. Pass a fraction: 0\.8\.",
        ),
        (lambda: schedules.constant("high"), r"Received: sparsity='high'"),
        (lambda: schedules.constant(float("nan")), r"Received: sparsity=nan"),
        (lambda: schedules.polynomial(0, 1.0, end_step=5), r"Received: final_sparsity=1\.0"),
        (lambda: schedules.polynomial(0, 0.5, end_step=-5), r"Received: end_step=-5"),
        (lambda: schedules.polynomial(0, 0.5, begin_step=9, end_step=5), r"begin_step=9, end_step=5"),
        (lambda: schedules.polynomial(0, 0.5, end_step=5, power=0), r"Received: power=0"),
        (lambda: schedules.cyclic(0, 0.5, period=0, cycles=1), r"Received: period=0"),
    ],
)
def test_a_schedule_out_of_range_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
