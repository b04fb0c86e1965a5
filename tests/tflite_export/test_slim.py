import ai_edge_litert.schema_py_generated as oracle
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from tests.tflite_export.small_models import conv_model, dense_model, pack
from tflite_export import tflm
from tflite_export.errors import ModelError
from tflite_export.read import read
from tflite_export.slim import change_metadata, slim


def samples(content, count=3):
    rng = np.random.default_rng(5)
    return [rng.integers(-128, 128, (count, *t.shape), np.int8) for t in read(content).inputs]


def litert(content, arrays, resolver):
    interpreter = Interpreter(model_content=content, experimental_op_resolver_type=resolver, num_threads=1)
    interpreter.allocate_tensors()
    results = []
    for sample in zip(*arrays, strict=True):
        for details, values in zip(interpreter.get_input_details(), sample, strict=True):
            interpreter.set_tensor(details["index"], values)
        interpreter.invoke()
        results.append([interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()])
    return np.array(results)


@pytest.mark.parametrize("model", [dense_model, conv_model])
def test_outputs_are_equal_on_tflm_and_litert(model):
    content = pack(model())
    small = slim(content)
    x = samples(content)
    np.testing.assert_array_equal(tflm.run(small, x), tflm.run(content, x))
    for resolver in (OpResolverType.BUILTIN_REF, OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES):
        np.testing.assert_array_equal(litert(small, x, resolver), litert(content, x, resolver))


def test_delegate_sees_no_difference_where_bias_scales_are_kept():
    content = pack(conv_model())
    x = samples(content, 8)
    kept = slim(content, keep_bias_scales=True)
    np.testing.assert_array_equal(
        litert(kept, x, OpResolverType.AUTO), litert(content, x, OpResolverType.AUTO)
    )
    assert len(slim(content)) < len(kept) < len(content)
    assert [t.quantization is not None for t in read(kept).main.tensors if t.dtype == "int32"] == [True] * 4
    assert [t.quantization is not None for t in read(slim(content)).main.tensors if t.dtype == "int32"] == [
        False
    ] * 4


def test_names_of_inputs_and_outputs_stay():
    names = [t.name for t in read(slim(pack(conv_model()))).main.tensors if t.name]
    assert names == ["picture", "result"]
    kept = read(slim(pack(conv_model()), keep_names=True)).main.tensors
    assert {t.name for t in kept} == {"picture", "weight", "bias", "conv", "result"}


def test_equal_constants_share_a_buffer():
    model = conv_model(widths=(4, 16, 4, 12))
    biases = [t.buffer for t in model.subgraphs[0].tensors if t.name == "bias" and t.shape == [4]]
    assert len(biases) == 2
    model.buffers[biases[0]].data = model.buffers[biases[1]].data
    small = read(slim(pack(model)))
    used = [t.buffer for t in small.main.tensors if t.is_constant]
    assert len(set(used)) == len(used) - 1
    np.testing.assert_array_equal(tflm.run(small, samples(small)), tflm.run(pack(model), samples(small)))


def test_nothing_is_lost_from_the_graph():
    before, after = read(pack(conv_model())), read(slim(pack(conv_model())))
    assert [(o.code, o.inputs, o.outputs, o.options) for o in before.main.ops] == [
        (o.code, o.inputs, o.outputs, o.options) for o in after.main.ops
    ]
    for a, b in zip(before.main.tensors, after.main.tensors, strict=True):
        assert (a.shape, a.dtype, a.is_variable) == (b.shape, b.dtype, b.is_variable)
        if a.is_constant:
            np.testing.assert_array_equal(a.data, b.data)
        if a.dtype == "int8":
            np.testing.assert_array_equal(a.quantization.scale, b.quantization.scale)


def test_user_metadata_stays_and_converter_notes_go():
    content = change_metadata(pack(conv_model()), {"labels": b"cat\ndog", "min_runtime_version": b"1.5.0"})
    assert read(slim(content)).metadata == {"labels": b"cat\ndog"}


def test_slim_twice_is_slim_once():
    once = slim(pack(conv_model()))
    assert slim(once) == once


def test_file_with_unknown_parts_is_left_alone():
    model = dense_model()
    code = oracle.OperatorCodeT()
    code.builtinCode, code.deprecatedBuiltinCode = oracle.BuiltinOperator.STABLEHLO_PAD, 127
    model.operatorCodes[0] = code
    op = model.subgraphs[0].operators[0]
    op.builtinOptionsType, op.builtinOptions = 0, None
    op.builtinOptions2Type = oracle.BuiltinOptions2.StablehloPadOptions
    op.builtinOptions2 = oracle.StablehloPadOptionsT()
    content = pack(model)
    assert slim(content) == content
    with pytest.raises(ModelError, match="parts that this version does not know"):
        change_metadata(content, {"a": b"b"})


def test_metadata_is_set_replaced_and_removed():
    content = change_metadata(pack(dense_model()), {"a": b"1", "b": b"2"})
    content = change_metadata(content, {"a": b"3", "b": None})
    assert read(content).metadata == {"a": b"3"}
    np.testing.assert_array_equal(
        tflm.run(content, samples(content)), tflm.run(pack(dense_model()), samples(content))
    )
