import json

import numpy as np
import pytest

from tests.tflite_export.small_models import (
    activation,
    constant,
    conv_model,
    dense_model,
    empty_model,
    operator,
    oracle,
    pack,
)
from tflite_export.model_metadata import ModelCard, write_card
from tflite_export.summary import summary


def test_work_and_weights_of_a_dense_layer():
    facts = summary(pack(dense_model()))
    (op,) = facts.ops
    assert (op.macs, op.parameters, op.weight_bytes) == (6, 8, 14)
    assert (op.code, op.inputs, op.outputs, op.dtypes) == (
        "FULLY_CONNECTED",
        ((1, 3),),
        ((1, 2),),
        "int8 x int8 -> int8",
    )
    assert (facts.macs, facts.parameters, facts.weight_bytes) == (6, 8, 14)
    assert (facts.inputs[0].name, facts.inputs[0].scale, facts.inputs[0].zero_point) == ("x", 0.5, 3)
    assert facts.peak_activation_bytes == 5
    assert facts.plan_bytes == 32


def test_work_of_a_convolution_counts_every_tap():
    facts = summary(pack(conv_model(widths=(4, 16), size=12)), measure=False)
    assert [op.macs for op in facts.ops] == [12 * 12 * 4 * 3, 6 * 6 * 16 * 3 * 3 * 4]
    assert facts.peak_activation_bytes == 12 * 12 * 4 + 6 * 6 * 16
    assert facts.peak_operator == 1
    assert facts.plan_is_optimal
    assert facts.arena is None


def test_arena_is_what_tflm_needs():
    from tflite_export import tflm

    content = pack(conv_model())
    assert summary(content).arena == tflm.measure_arena(content)


def test_refusal_of_tflm_is_part_of_the_summary():
    model = dense_model()
    model.subgraphs[0].tensors[1].type = oracle.TensorType.INT16
    model.buffers[1].data = np.zeros(12, np.uint8)
    facts = summary(pack(model))
    assert facts.arena is None
    assert "failed to prepare" in facts.arena_problem
    assert facts.arena_problem.split(";")[0] in " ".join(str(facts).split())


def mixed_model():
    """int8, then a float EXP between DEQUANTIZE and QUANTIZE, then int8 again."""
    model = empty_model()
    x = activation(model, "x", [1, 4])
    inner = activation(model, "inner", [1, 4])
    tensors = model.subgraphs[0].tensors
    floats = []
    for name in ("f0", "f1"):
        index = activation(model, name, [1, 4])
        tensors[index].type, tensors[index].quantization = oracle.TensorType.FLOAT32, None
        floats.append(index)
    back = activation(model, "back", [1, 4])
    operator(model, "RELU", [x], [inner])
    operator(model, "DEQUANTIZE", [inner], [floats[0]])
    operator(model, "EXP", [floats[0]], [floats[1]])
    operator(model, "QUANTIZE", [floats[1]], [back])
    model.subgraphs[0].inputs, model.subgraphs[0].outputs = [x], [back]
    tensors[x].shapeSignature = [-1, 4]
    return model


def test_floats_amid_integers_and_dynamic_shapes_are_named():
    facts = summary(pack(mixed_model()), measure=False)
    assert facts.float_islands == ((2, 2),)
    assert facts.dynamic_tensors == ("x",)
    text = str(facts)
    assert "operators 2 compute in floating point" in text
    assert "Dynamic shapes (x)" in text


def test_model_of_floats_alone_has_no_islands():
    model = mixed_model()
    model.subgraphs[0].operators = model.subgraphs[0].operators[2:3]
    model.subgraphs[0].inputs, model.subgraphs[0].outputs = [2], [3]
    assert summary(pack(model), measure=False).float_islands == ()


def test_shared_constant_counts_once():
    model = empty_model()
    x = activation(model, "x", [1, 4])
    ends = [activation(model, f"y{i}", [1, 4]) for i in range(2)]
    two = constant(model, "two", np.full(4, 2, np.int8), oracle.TensorType.INT8)
    model.subgraphs[0].tensors[two].quantization = model.subgraphs[0].tensors[x].quantization
    operator(model, "ADD", [x, two], [ends[0]], oracle.AddOptionsT())
    operator(model, "MUL", [ends[0], two], [ends[1]], oracle.MulOptionsT())
    model.subgraphs[0].inputs, model.subgraphs[0].outputs = [x], [ends[1]]
    facts = summary(pack(model), measure=False)
    assert (facts.weight_bytes, facts.parameters) == (4, 4)
    assert [op.weight_bytes for op in facts.ops] == [4, 0]


def test_json_text_and_page_say_the_same():
    card = ModelCard(name="two <classes>", author="A. Author", license="MIT", labels=("cat", "dog"))
    facts = summary(write_card(pack(dense_model()), card))
    data = json.loads(json.dumps(facts.to_dict()))
    assert data["ops"][0]["macs"] == 6
    assert data["card"]["labels"] == ["cat", "dog"]
    text, html = str(facts), facts.to_html("my model")
    for word in ("FULLY_CONNECTED", "A. Author", "MIT", "cat, dog", f"{facts.arena.required_bytes:,}"):
        assert word in text
        assert word in html
    assert "two &lt;classes&gt;" in html
    assert html.count("<rect ") == len(facts.lifetimes) == 2


def test_names_in_the_file_cannot_garble_the_terminal():
    model = dense_model()
    model.subgraphs[0].tensors[0].name = "\x1b[31m[bold]evil[/bold]"
    assert "?[31m[bold]evil[/bold]" in str(summary(pack(model), measure=False))


@pytest.mark.parametrize("shape", [[], [1], [0, 3]])
def test_odd_shapes_do_not_stop_it(shape):
    model = empty_model()
    x, y = activation(model, "x", shape), activation(model, "y", shape)
    operator(model, "RELU", [x], [y])
    model.subgraphs[0].inputs, model.subgraphs[0].outputs = [x], [y]
    assert summary(pack(model), measure=False).macs == 0
