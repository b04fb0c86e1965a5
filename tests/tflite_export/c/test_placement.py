from hypothesis import given, settings
from hypothesis import strategies as st

from tflite_export.c.placement import place
from tflite_export.c.program import Block


def chain(sizes):
    return [Block(i, size, i - 1, i) for i, size in enumerate(sizes)]


def test_buffers_that_meet_keep_apart():
    offsets, total = place(chain([100, 80, 60]), {})
    assert total == 180
    assert abs(offsets[0] - offsets[1]) >= 80


def test_an_output_may_replace_its_input():
    assert place(chain([100, 100, 100]), {(0, 1): 0, (1, 2): 0})[1] == 100


def test_an_output_keeps_its_distance_below_the_input():
    offsets, total = place(chain([100, 100]), {(0, 1): 24})
    assert total == 124
    assert offsets[0] - offsets[1] >= 24


def test_the_same_blocks_get_the_same_places():
    blocks = [Block(i, 16 * (i * 7 % 5 + 1), i // 2 - 1, i // 2 + i % 3) for i in range(12)]
    assert place(blocks, {}) == place(blocks, {})


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 200), st.integers(0, 6), st.integers(0, 3)), min_size=1, max_size=8))
def test_no_two_live_buffers_overlap(rows):
    blocks = [Block(i, size, first, first + length) for i, (size, first, length) in enumerate(rows)]
    offsets, total = place(blocks, {})
    for a in blocks:
        assert offsets[a.key] % 4 == 0
        assert offsets[a.key] + a.size <= total
        for b in blocks:
            if a.key < b.key and a.first <= b.last and b.first <= a.last:
                low, high = sorted((a, b), key=lambda x: offsets[x.key])
                assert offsets[low.key] + low.size <= offsets[high.key]
