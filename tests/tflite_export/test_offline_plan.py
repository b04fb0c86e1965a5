import numpy as np

from tests.tflite_export.small_models import conv_model, pack
from tflite_export import memory, tflm
from tflite_export.offline_plan import METADATA_NAME, plan_arena
from tflite_export.read import read


def wasteful_model():
    """Activations of which TFLM's own planner, largest first, stacks more than live at once."""
    return conv_model(widths=(2, 8, 24, 2, 16, 24), size=16)


def test_plan_takes_less_arena_and_changes_no_output():
    content = pack(wasteful_model())
    planned = plan_arena(content)
    before, after = tflm.measure_arena(content), tflm.measure_arena(planned)
    buffers = memory.lifetimes(read(content).main)
    best = memory.plan(list(buffers.values()))
    assert best.is_optimal
    assert after.head_bytes == best.size_bytes < before.head_bytes
    assert after.required_bytes < before.required_bytes
    x = np.random.default_rng(0).integers(-128, 128, (3, 1, 16, 16, 3), np.int8)
    np.testing.assert_array_equal(tflm.run(planned, x), tflm.run(content, x))


def test_stored_offsets_keep_living_values_apart():
    planned = read(plan_arena(pack(wasteful_model())))
    header, offsets = np.split(np.frombuffer(planned.metadata[METADATA_NAME], "<i4"), [3])
    assert header.tolist() == [1, 0, len(planned.main.tensors)]
    buffers = memory.lifetimes(planned.main)
    assert all((offsets[t.index] >= 0) == (t.index in buffers) for t in planned.main.tensors)
    for i, a in buffers.items():
        for j, b in buffers.items():
            if i < j and a.first <= b.last and b.first <= a.last:
                assert offsets[i] + a.size_bytes <= offsets[j] or offsets[j] + b.size_bytes <= offsets[i]


def test_file_that_gains_nothing_is_left_alone():
    content = pack(conv_model(widths=(4,)))
    assert plan_arena(content) == content


def test_planned_file_is_not_planned_again():
    planned = plan_arena(pack(wasteful_model()))
    assert plan_arena(planned) == planned
