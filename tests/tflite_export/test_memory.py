import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tflite_export.small_models import dense_model, pack
from tflite_export.graph import Op, Subgraph, Tensor
from tflite_export.memory import Buffer, in_place_gaps, lifetimes, live_bytes, plan
from tflite_export.read import read


@st.composite
def problems(draw, most=6):
    """Buffers, an alignment and permitted overlaps between buffers that meet in one step."""
    buffers = []
    for _ in range(draw(st.integers(1, most))):
        first = draw(st.integers(0, 5))
        buffers.append(Buffer(draw(st.integers(0, 6)), first, first + draw(st.integers(0, 3))))
    gaps = {}
    for i, j in itertools.permutations(range(len(buffers)), 2):
        if draw(st.integers(0, 5)) == 0:
            gaps[i, j] = draw(st.integers(-buffers[j].size_bytes, buffers[i].size_bytes))
    return buffers, draw(st.sampled_from([1, 2, 4])), gaps


def is_legal(buffers, offsets, alignment, gaps):
    """The definition, pair by pair; sizes count as rounded up to the alignment."""
    sizes = [-(-b.size_bytes // alignment) * alignment for b in buffers]
    for i, j in itertools.combinations(range(len(buffers)), 2):
        a, b = buffers[i], buffers[j]
        if a.last < b.first or b.last < a.first:
            continue
        up, down = gaps.get((i, j), sizes[i]), gaps.get((j, i), sizes[j])
        if not (offsets[j] - offsets[i] >= up or offsets[i] - offsets[j] >= down):
            return False
    return all(offset >= 0 and offset % alignment == 0 for offset in offsets)


def smallest_by_force(buffers, alignment, gaps):
    sizes = [-(-b.size_bytes // alignment) * alignment for b in buffers]
    limit = sum(sizes)
    best = limit
    for offsets in itertools.product(range(0, limit + 1, alignment), repeat=len(buffers)):
        size = max(o + s for o, s in zip(offsets, sizes, strict=True))
        if size < best and is_legal(buffers, offsets, alignment, gaps):
            best = size
    return best


@settings(max_examples=300, deadline=None)
@given(problems())
def test_plans_are_legal_and_above_the_bound(problem):
    buffers, alignment, gaps = problem
    result = plan(buffers, alignment=alignment, gaps=gaps, tries=50)
    assert is_legal(buffers, result.offsets, alignment, gaps)
    ends = [
        o + -(-b.size_bytes // alignment) * alignment for o, b in zip(result.offsets, buffers, strict=True)
    ]
    assert result.size_bytes == max(ends) >= result.lower_bound_bytes


@settings(max_examples=60, deadline=None)
@given(problems(most=3))
def test_bound_and_plan_agree_with_trying_everything(problem):
    buffers, alignment, gaps = problem
    truth = smallest_by_force(buffers, alignment, gaps)
    result = plan(buffers, alignment=alignment, gaps=gaps)
    assert result.lower_bound_bytes <= truth
    assert result.size_bytes == truth


def test_search_finds_what_no_usual_order_does():
    buffers = [
        Buffer(6, 5, 8),
        Buffer(7, 4, 7),
        Buffer(9, 2, 3),
        Buffer(4, 3, 4),
        Buffer(5, 4, 5),
        Buffer(9, 1, 4),
        Buffer(6, 2, 5),
    ]
    assert plan(buffers, alignment=1, tries=6).size_bytes > 31
    assert plan(buffers, alignment=1).size_bytes == plan(buffers, alignment=1).lower_bound_bytes == 31


def test_random_problems_mostly_meet_the_bound():
    rng = np.random.default_rng(1)
    met = 0
    for _ in range(40):
        first = rng.integers(0, 30, 40)
        buffers = [
            Buffer(int(s), int(f), int(f + d))
            for s, f, d in zip(rng.integers(1, 1000, 40), first, rng.integers(0, 6, 40), strict=True)
        ]
        met += plan(buffers, tries=500).is_optimal
    assert met >= 36


def test_equal_calls_give_equal_plans():
    rng = np.random.default_rng(2)
    buffers = [Buffer(int(s), int(f), int(f) + 3) for s, f in rng.integers(1, 20, (30, 2))]
    assert plan(buffers, tries=300) == plan(list(buffers), tries=300)


def test_lifetimes_and_load_of_a_model():
    buffers = lifetimes(read(pack(dense_model())).main)
    assert buffers == {0: Buffer(3, 0, 0), 3: Buffer(2, 0, 0)}
    assert live_bytes(list(buffers.values()), alignment=16) == [32]


def test_chain_of_elementwise_operators_needs_one_buffer():
    shape = (1, 10)
    tensors = tuple(Tensor(i, "", shape, "int8") for i in range(4))
    ops = tuple(Op(i, code, (i,), (i + 1,)) for i, code in enumerate(("TANH", "LOGISTIC", "RELU")))
    subgraph = Subgraph(0, "", tensors, ops, (0,), (3,))
    buffers = lifetimes(subgraph)
    values = list(buffers.values())
    assert plan(values, alignment=1).size_bytes == 20
    assert plan(values, alignment=1, gaps=in_place_gaps(subgraph, buffers)).size_bytes == 10


def test_wider_output_is_not_written_in_place():
    tensors = (Tensor(0, "", (4,), "int8"), Tensor(1, "", (4,), "float32"), Tensor(2, "", (4,), "int8"))
    ops = (Op(0, "DEQUANTIZE", (0,), (1,)), Op(1, "QUANTIZE", (1,), (2,)))
    subgraph = Subgraph(0, "", tensors, ops, (0,), (2,))
    buffers = lifetimes(subgraph)
    place = list(buffers)
    assert in_place_gaps(subgraph, buffers) == {(place.index(2), place.index(1)): 0}


@pytest.mark.parametrize(
    ("buffers", "alignment", "message"),
    [
        ([Buffer(1, 3, 2)], 1, r"end after it begins. Received: buffers\[0\]"),
        ([], 0, "at least 1. Received: align"),
    ],
)
def test_senseless_problems_are_refused(buffers, alignment, message):
    with pytest.raises(ValueError, match=message):
        plan(buffers, alignment=alignment)


def test_nothing_to_plan():
    assert plan([]).size_bytes == 0
