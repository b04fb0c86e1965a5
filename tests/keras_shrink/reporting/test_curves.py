import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_shrink.reporting.curves import HEIGHT, LEFT, WIDTH, Point, chart, round_numbers, scatter

POINTS = [
    Point(0, "start", True, 4096, 0.95),
    Point(1, "prune", False, 1024, 0.2),
    Point(2, "int4", True, 2048, 0.94),
]


def test_kept_points_are_joined_and_the_others_are_not():
    drawn = chart("flash", POINTS)
    kept = [mark for mark in drawn.marks if mark.kept]
    assert drawn.line == " ".join(f"{mark.x},{mark.y}" for mark in kept)
    assert [mark.number for mark in kept] == [0, 2]
    assert kept[0].x > kept[1].x
    assert kept[0].y < kept[1].y


def test_a_point_far_below_lies_at_the_edge_and_says_its_score():
    (mark,) = [mark for mark in chart("flash", POINTS).marks if mark.below]
    assert mark.y == chart("flash", POINTS).bottom
    assert mark.title == "1 prune: 20.00% at 1,024 bytes, given up"


def test_the_limit_lies_inside_even_where_no_point_reaches_it():
    assert LEFT < chart("flash", POINTS, limit=10_000).limit <= WIDTH


def test_figures_that_are_missing_are_left_out():
    nan = [Point(0, "a", True, float("nan"), 0.5), Point(1, "b", True, 1.0, float("nan"))]
    assert chart("flash", nan) is None
    assert len(chart("flash", [*nan, POINTS[0]]).marks) == 1


EXTREMES = [
    [(0.0, 0.0, True), (0.0, 1.0, False)],
    [(1e9, 0.5, True)],
    [(5.0, 1e-9, True), (1e-9, 1.0, True), (7.0, 0.0, False)],
]


def random_points(seed):
    generator = np.random.default_rng(seed)
    count = generator.integers(1, 13)
    costs = generator.uniform(0, 10 ** generator.uniform(0, 9), count)
    return [*zip(costs, generator.uniform(0, 1, count), generator.uniform(size=count) < 0.6, strict=True)]


@pytest.mark.parametrize("values", [*EXTREMES, *map(random_points, range(30))])
def test_everything_lies_inside_the_drawing(values):
    drawn = chart("x", [Point(i, "p", kept, cost, score) for i, (cost, score, kept) in enumerate(values)])
    for mark in drawn.marks:
        assert drawn.left - 0.1 <= mark.x <= drawn.right + 0.1
        assert drawn.top - 0.1 <= mark.y <= drawn.bottom + 0.1
    assert len(drawn.marks) == len(values)
    assert 2 <= len(drawn.y_ticks) <= 10
    assert all(0 <= y <= HEIGHT for y, _ in drawn.y_ticks)
    assert len({text for _, text in drawn.y_ticks}) == len(drawn.y_ticks)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.booleans())
def test_round_numbers_are_even_and_enclose(low, span, outside):
    numbers = round_numbers(low, low + span, outside=outside)
    steps = np.diff(numbers)
    assert 2 <= len(numbers) <= 12
    assert steps == pytest.approx(steps[0], rel=1e-3)
    if outside:
        assert numbers[0] <= low + 1e-6 * span
        assert numbers[-1] >= low + span - 1e-6 * span


def test_predictions_that_are_right_lie_on_the_diagonal():
    truth = np.array([-1.0, 0.0, 3.0])
    drawn = scatter(np.stack([truth, truth, truth + 0.5], axis=1))
    left, top, right, bottom = drawn["box"]
    for x, y in drawn["before"]:
        assert (x - left) / (right - left) == pytest.approx((bottom - y) / (bottom - top), abs=0.01)
    assert all(after[1] < before[1] for before, after in zip(drawn["before"], drawn["after"], strict=True))
