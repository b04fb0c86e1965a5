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


def operator(model, name, inputs, outputs, options=None):
    """Appends an operator to the first subgraph."""
    code = oracle.OperatorCodeT()
    code.builtinCode = getattr(oracle.BuiltinOperator, name)
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    op = oracle.OperatorT()
    op.opcodeIndex, op.inputs, op.outputs = len(model.operatorCodes), inputs, outputs
    if options is not None:
        op.builtinOptions = options
        op.builtinOptionsType = getattr(oracle.BuiltinOptions, type(options).__name__[:-1])
    model.operatorCodes.append(code)
    model.subgraphs[0].operators.append(op)


def empty_model():
    """A model without tensors or operators, to fill."""
    model, graph = oracle.ModelT(), oracle.SubGraphT()
    graph.tensors, graph.operators, graph.inputs, graph.outputs = [], [], [], []
    model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [], [graph], [oracle.BufferT()]
    return model


def constant(model, name, values, dtype, quantization=None):
    """Appends a constant; returns its tensor index."""
    buffer = oracle.BufferT()
    buffer.data = np.ascontiguousarray(values).view(np.uint8).reshape(-1)
    model.buffers.append(buffer)
    tensors = model.subgraphs[0].tensors
    tensors.append(tensor(name, list(np.shape(values)), dtype, len(model.buffers) - 1, quantization))
    return len(tensors) - 1


def activation(model, name, shape, scale=0.05, zero_point=0):
    """Appends an int8 activation; returns its tensor index."""
    tensors = model.subgraphs[0].tensors
    tensors.append(tensor(name, shape, oracle.TensorType.INT8, 0, quantized([scale], [zero_point])))
    return len(tensors) - 1


def convolution(model, rng, source, kernel, channels, stride=1):
    """Appends a per-channel CONV_2D with "same" padding and ReLU; returns its output."""
    height, width, depth = model.subgraphs[0].tensors[source].shape[1:]
    scales = rng.uniform(0.005, 0.02, channels)
    values = rng.integers(-127, 128, (channels, kernel, kernel, depth), np.int8)
    per_channel = quantized(list(scales), [0] * channels)
    weight = constant(model, "weight", values, oracle.TensorType.INT8, per_channel)
    model.subgraphs[0].tensors[weight].quantization.min = [-1.0] * channels
    values = rng.integers(-500, 500, channels).astype(np.int32)
    per_channel = quantized(list(scales * 0.05), [0] * channels)
    bias = constant(model, "bias", values, oracle.TensorType.INT32, per_channel)
    output = activation(model, "conv", [1, -(-height // stride), -(-width // stride), channels], 0.1, -128)
    options = oracle.Conv2DOptionsT()
    options.strideW = options.strideH = stride
    options.fusedActivationFunction = oracle.ActivationFunctionType.RELU
    operator(model, "CONV_2D", [source, weight, bias], [output], options)
    return output


def conv_model(widths=(4, 16, 4, 12), size=12):
    """A chain of convolutions, 1x1 and 3x3 in turn, on a square picture of three channels."""
    rng = np.random.default_rng(0)
    model = empty_model()
    model.description = "made for tests"
    last = activation(model, "picture", [1, size, size, 3])
    model.subgraphs[0].inputs = [last]
    for i, width in enumerate(widths):
        last = convolution(model, rng, last, 1 + 2 * (i % 2), width, stride=1 + (i == 1))
    model.subgraphs[0].outputs = [last]
    model.subgraphs[0].tensors[last].name = "result"
    return model
