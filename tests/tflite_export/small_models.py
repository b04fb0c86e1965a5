"""Small `.tflite` files written with the published schema's own code, so that nothing here judges itself."""

import ai_edge_litert.schema_py_generated as oracle
import flatbuffers
import numpy as np


def quantized(scale, zero_point, axis=0):
    table = oracle.QuantizationParametersT()
    table.scale, table.zeroPoint, table.quantizedDimension = scale, zero_point, axis
    return table


def tensor(name, shape, dtype, buffer, quantization=None):
    table = oracle.TensorT()
    table.name, table.shape, table.type, table.buffer = name, shape, dtype, buffer
    table.quantization = quantization
    return table


def dense_model():
    """FULLY_CONNECTED with ReLU, int8, three inputs and two outputs, as an object tree."""
    model, graph, op, code = oracle.ModelT(), oracle.SubGraphT(), oracle.OperatorT(), oracle.OperatorCodeT()
    code.deprecatedBuiltinCode = code.builtinCode = oracle.BuiltinOperator.FULLY_CONNECTED
    buffers = [oracle.BufferT() for _ in range(3)]
    buffers[1].data = np.arange(6, dtype=np.int8).view(np.uint8)
    buffers[2].data = np.array([-5, 7], np.int32).view(np.uint8)
    graph.tensors = [
        tensor("x", [1, 3], oracle.TensorType.INT8, 0, quantized([0.5], [3])),
        tensor("w", [2, 3], oracle.TensorType.INT8, 1, quantized([0.25, 0.125], [0, 0])),
        tensor("b", [2], oracle.TensorType.INT32, 2, quantized([0.125, 0.0625], [0, 0])),
        tensor("y", [1, 2], oracle.TensorType.INT8, 0, quantized([1.0], [-128])),
    ]
    op.inputs, op.outputs = [0, 1, 2], [3]
    op.builtinOptionsType = oracle.BuiltinOptions.FullyConnectedOptions
    op.builtinOptions = oracle.FullyConnectedOptionsT()
    op.builtinOptions.fusedActivationFunction = oracle.ActivationFunctionType.RELU
    graph.operators, graph.inputs, graph.outputs, graph.name = [op], [0], [3], "main"
    model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], buffers
    model.description = "test"
    return model


def pack(model):
    builder = flatbuffers.Builder(256)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
