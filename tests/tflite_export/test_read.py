import dataclasses

import ai_edge_litert.schema_py_generated as oracle
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

import tflite_export
from tests.tflite_export.small_models import dense_model, pack, quantized
from tflite_export import options
from tflite_export.errors import ModelError
from tflite_export.read import read


def test_reads_what_was_written():
    graph = read(pack(dense_model()))
    (op,) = graph.main.ops
    assert (op.code, op.inputs, op.outputs) == ("FULLY_CONNECTED", (0, 1, 2), (3,))
    assert op.options == options.FullyConnectedOptions(fused_activation_function="RELU")
    weight, bias = graph.main.tensors[1], graph.main.tensors[2]
    assert weight.data.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert weight.quantization.scale.tolist() == [0.25, 0.125]
    assert weight.quantization.per_channel
    assert bias.data.dtype == np.int32
    assert bias.data.tolist() == [-5, 7]
    assert graph.inputs[0].quantization.zero_point.tolist() == [3]
    assert graph.inputs[0].data is None
    assert (graph.main.name, graph.description) == ("main", "test")


def test_accepts_bytes_path_result_and_graph(tmp_path):
    content = pack(dense_model())
    path = tmp_path / "m.tflite"
    path.write_bytes(content)

    @dataclasses.dataclass
    class Result:
        bytes: bytes

    assert read(path).content == read(str(path)).content == read(Result(content)).content == content
    graph = read(content)
    assert read(graph) is graph
    assert tflite_export.read is read


def test_is_accepted_by_the_runtime_it_reads_for():
    interpreter = Interpreter(model_content=pack(dense_model()))
    interpreter.allocate_tensors()
    shapes = [tuple(entry["shape"]) for entry in interpreter.get_input_details()]
    assert shapes == [tensor.shape for tensor in read(pack(dense_model())).inputs]


def test_old_files_keep_the_operator_in_the_first_slot():
    model = dense_model()
    model.operatorCodes[0].builtinCode = 0
    assert read(pack(model)).main.ops[0].code == "FULLY_CONNECTED"


def test_int4_is_unpacked_low_half_first():
    model = dense_model()
    model.subgraphs[0].tensors[1].type = oracle.TensorType.INT4
    model.buffers[1].data = np.array([0x21, 0x83, 0xF7], np.uint8)
    weight = read(pack(model)).main.tensors[1]
    assert weight.data.tolist() == [[1, 2, 3], [-8, 7, -1]]
    assert (weight.dtype, weight.buffer_bytes) == ("int4", 3)


def test_absent_options_have_the_defaults_of_the_format():
    model = dense_model()
    model.subgraphs[0].operators[0].builtinOptionsType = 0
    model.subgraphs[0].operators[0].builtinOptions = None
    assert read(pack(model)).main.ops[0].options == options.FullyConnectedOptions()


def change_tensor(**changes):
    def change(model):
        for name, (index, value) in changes.items():
            setattr(model.subgraphs[0].tensors[index], name, value)

    return change


def change_op(**changes):
    def change(model):
        for name, value in changes.items():
            setattr(model.subgraphs[0].operators[0], name, value)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (change_op(inputs=[9, 1, 2]), "input of operator 0 .* is tensor 9, but there are only 4"),
        (change_op(inputs=[-2, 1, 2]), "is tensor -2"),
        (change_op(inputs=[3, 1, 2]), "reads tensor 3, which nothing writes before it"),
        (change_op(outputs=[0]), "writes tensor 0, which already has a value"),
        (change_op(opcodeIndex=5), "code number 5, but there are only 1"),
        (change_tensor(buffer=(1, 77)), "in buffer 77, but there are only 3"),
        (change_tensor(shape=(1, [2, 4])), "needs 8 bytes, its buffer has 6"),
        (change_tensor(shape=(0, [-1, 3])), "negative dimension"),
        (change_tensor(shape=(0, [60000, 60000])), "too large for any runtime"),
        (change_tensor(type=(1, 99)), "unknown data type. Received: 99"),
        (change_tensor(quantization=(0, quantized([float("nan")], [0]))), "not a number"),
        (change_tensor(quantization=(0, quantized([0.5], [300]))), "zero point outside int8"),
        (
            change_tensor(quantization=(1, quantized([0.5, 0.5, 0.5], [0, 0, 0]))),
            "3 scales along dimension 0",
        ),
        (lambda m: setattr(m, "version", 2), "schema version 2 is not supported"),
        (lambda m: setattr(m, "subgraphs", []), "no subgraph"),
        (lambda m: setattr(m.operatorCodes[0], "builtinCode", 5000), "unknown operator. Received: 5000"),
    ],
)
def test_contradictions_are_refused(change, message):
    model = dense_model()
    change(model)
    with pytest.raises(ModelError, match=message):
        read(pack(model))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "0 bytes long"),
        (b"\0" * 64, "not a .tflite file: bytes 4 to 8"),
        (b"\xff" * 4 + b"TFL3" * 9, "truncated"),
    ],
)
def test_other_files_are_refused(content, message):
    with pytest.raises(ModelError, match=message):
        read(content)


def test_every_truncation_is_refused():
    content = pack(dense_model())
    for end in range(0, len(content) - 1, 3):
        with pytest.raises(ModelError):
            read(content[:end])


def test_subgraphs_that_run_each_other_are_refused():
    model = dense_model()
    code = oracle.OperatorCodeT()
    code.builtinCode = oracle.BuiltinOperator.CALL_ONCE
    code.deprecatedBuiltinCode = 127
    model.operatorCodes.append(code)
    call = oracle.OperatorT()
    call.opcodeIndex, call.inputs, call.outputs = 1, [], []
    call.builtinOptionsType, call.builtinOptions = (
        oracle.BuiltinOptions.CallOnceOptions,
        oracle.CallOnceOptionsT(),
    )
    model.subgraphs[0].operators.append(call)
    with pytest.raises(ModelError, match="run each other in a circle"):
        read(pack(model))
    call.builtinOptions.initSubgraphIndex = 4
    with pytest.raises(ModelError, match="runs subgraph 4, but there are only 1"):
        read(pack(model))


def test_random_damage_gives_model_error_or_a_graph():
    rng = np.random.default_rng(0)
    original = np.frombuffer(pack(dense_model()), np.uint8)
    refused = 0
    for _ in range(3000):
        damaged = original.copy()
        for position in rng.integers(0, damaged.size - 4, rng.integers(1, 5)):
            damaged[position : position + 4] = rng.choice(
                [rng.integers(0, 256, 4), np.full(4, 255), np.array([255, 255, 255, 127]), np.zeros(4)]
            )
        try:
            read(damaged.tobytes())
        except ModelError:
            refused += 1
    assert refused > 1000


def test_enumerations_and_slots_agree_with_the_published_schema():
    from tflite_export import schema

    operators = {v: k for k, v in vars(oracle.BuiltinOperator).items() if isinstance(v, int)}
    assert tuple(operators[i] for i in range(len(operators))) == schema.OPERATORS
    types = {v: k.lower() for k, v in vars(oracle.TensorType).items() if isinstance(v, int)}
    assert tuple(types[i] for i in range(len(types))) == options.DATA_TYPES
    for number, table in options.OPTIONS_BY_NUMBER.items():
        if dataclasses.fields(table):
            assert getattr(oracle.BuiltinOptions, table.__name__) == number
