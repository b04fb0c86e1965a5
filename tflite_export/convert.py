"""Converts a Keras model to an int8 `.tflite` with the scales it was trained with."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import warnings

from tflite_export import samples
from tflite_export.converter_worker import (
    convert_in_subprocess,
    quantize16_in_subprocess,
    quantize16_ranged_in_subprocess,
    quantize_in_subprocess,
)
from tflite_export.crash import find_culprit
from tflite_export.errors import ConversionError
from tflite_export.fold import fold_constants
from tflite_export.fused_lstm import fused_lstms, insert_lstms
from tflite_export.int4 import pack_weights
from tflite_export.int16 import as_ranges, check_scales
from tflite_export.integer_islands import close_islands
from tflite_export.load import load_keras
from tflite_export.model import TFLiteModel
from tflite_export.placed_lstm import insert_placed
from tflite_export.promise import promise_of
from tflite_export.read import read
from tflite_export.saved_model import SavedModel, is_saved_model, load_saved_model
from tflite_export.single_precision import single_precision
from tflite_export.tracing import tracing

_WITH_LSTM = ("int8", "int8x4")  # where TFLM runs the operator that stands for the layer
SIGNATURE_KEY = "serving_default"
DTYPES = ("int8", "int8x4", "int16x8", "dynamic_range", "float16", "float32")
_CALIBRATED = ("int8", "int8x4", "int16x8")


def convert(model, representative_data=None, *, dtype=None):
    """Returns a `.tflite`, by default int8: int8 in, int8 out, batch 1, not one float tensor inside.

    A quantization-aware model (fake-quantized activations, weights on an integer grid) keeps exactly
    the scales it was trained with. A float model is quantized with ranges that TensorFlow observes
    on `representative_data`. The conversion proper runs in a process of its own.

    Args:
        model: A built `keras.Model`, or the path of a `.keras` or `.h5` file or of a SavedModel folder
            (through its signature `serving_default`).
        representative_data: Inputs as the model will see them, needed for a float model only: an
            array with the batch first, a list of arrays for several inputs, or an iterable of
            batches. A few hundred samples do.
        dtype: `"int8"`; `"int8x4"` for int8 activations with 4-bit weights; `"int16x8"` for int16
            activations with int8 weights (a float model with representative data); `"dynamic_range"`
            for int8 weights in a float model; `"float16"` for weights of 16 bits; `"float32"` for the
            float file that others are compared with. Defaults to what the model was quantized for, which
            its layers say (see `promise`), and to `"int8"` for any other.

    Returns:
        A `TFLiteModel` with `.bytes`, `.save(path)`, `.inputs` and `.outputs`; its signature carries
        the model's input and output names in the model's order.

    Raises:
        ValueError: If the model is float and no representative data is given, if the data does not
            fit the inputs, if an input has a free dimension besides the batch, or if `dtype` is unknown.
        ConversionError: If the converter refuses the model or crashes, or if a tensor stayed float.

    Example:
    >>> import keras, numpy as np, tflite_export as te
    >>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(2, activation="relu")])
    >>> tflite = te.convert(model, representative_data=np.random.rand(100, 8))
    >>> next(iter(tflite.inputs.values())).dtype
    'int8'
    """
    if dtype is not None and dtype not in DTYPES:
        raise ValueError(f"dtype must be one of {DTYPES}. Received: dtype={dtype!r}.")
    source = _source(model)
    promise = promise_of(source)
    dtype = dtype or promise.dtype
    try:
        return TFLiteModel(_converted(source, representative_data, dtype, promise))
    except ConversionError as error:
        if "crashed" not in str(error) or isinstance(source, SavedModel):
            raise
        culprit = find_culprit(source, lambda part: _converted(part, representative_data, dtype, promise))
        if culprit is None:
            raise
        raise ConversionError(
            f"The converter fails from layer {culprit!r} on. Replace it, or leave it out of the model (a "
            f"recurrent layer converts with unroll=True).\n{error}"
        ) from error


def _source(model):
    """Returns the Keras model or the SavedModel that an argument of `convert` names."""
    if not isinstance(model, str | os.PathLike):
        return _checked_model(model)
    return load_saved_model(model) if is_saved_model(model) else _checked_model(load_keras(model))


def _converted(source, representative_data, dtype, promise) -> bytes:
    is_saved = isinstance(source, SavedModel)
    specs = list(source.specs) if is_saved else samples.specs_of(source)
    has_lstm = dtype in _WITH_LSTM and not is_saved
    with contextlib.ExitStack() as stack:
        placed = stack.enter_context(tracing(places=has_lstm))
        lstms = stack.enter_context(fused_lstms(source)) if has_lstm else []
        function = _trace(source, specs)
    converter = _converter(function)
    ranged = dtype == "int16x8" and representative_data is None and _widths(function) == {16}
    ready = [] if ranged else _prepare(converter, function, specs, representative_data, dtype)
    outputs = source.outputs if is_saved else _output_names(source)
    content = _run(converter, ready, lstms)
    if ranged:
        ranges, scales = as_ranges(content)
        content = quantize16_ranged_in_subprocess(ranges)
        check_scales(content, scales)
    content = _with_signature(close_islands(content), [spec.name for spec in specs], outputs)
    content = insert_placed(content, placed)
    if lstms or placed:
        warnings.warn(
            "The file computes LSTM layers as an operator that keeps its state: each invocation "
            "starts from the state that the one before left. Reset the interpreter's variables before every "
            "sequence, or build the layers with unroll=True.",
            stacklevel=3,
        )
    if dtype in _CALIBRATED:
        _check_floats(content, promise.allows_float)
    if dtype != "int8x4":
        return content
    return _with_4_bit_weights(content, only_exact=promise.dtype == "int8x4")


def _prepare(converter, function, specs, representative_data, dtype):
    """Sets the converter to a kind of file and returns the samples for its calibration."""
    if dtype in ("int8", "int8x4"):
        return _prepare_int8(converter, function, specs, representative_data)
    if dtype == "int16x8":
        return _prepare_int16x8(converter, function, specs, representative_data)
    if representative_data is not None:
        raise ValueError(
            f"Only {', '.join(_CALIBRATED[:-1])} and {_CALIBRATED[-1]} need representative_data. "
            f"Received: representative_data with dtype={dtype!r}."
        )
    _prepare_weights(converter, dtype)
    return []


def _with_4_bit_weights(content, only_exact) -> bytes:
    packed, left = pack_weights(content, only_exact=only_exact)
    if left:
        warnings.warn(
            f"TFLM has no kernel for 4-bit weights of {', '.join(left)}; these keep 8 bits.", stacklevel=4
        )
    return packed


def _prepare_weights(converter, dtype):
    """Sets the converter to weights of fewer bits in a model that computes on floats."""
    import tensorflow as tf

    if dtype in ("float16", "dynamic_range"):
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if dtype == "float16":
        converter.target_spec.supported_types = [tf.float16]


def _prepare_int16x8(converter, function, specs, representative_data):
    """Sets the converter to int16 activations with int8 weights and returns the samples."""
    import tensorflow as tf

    if _widths(function):
        raise ValueError(
            "int16x8 is made from a float model with representative_data, or from a model quantized for it. "
            f"Received: a model with ranges of {_named(_widths(function))} bits"
            f"{'' if representative_data is None else ' and representative_data'}."
        )
    ready = _prepare_int8(converter, function, specs, representative_data)
    converter.inference_input_type = converter.inference_output_type = tf.int16
    mode = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    converter.target_spec.supported_ops = [mode]
    return ready


def _checked_model(model):
    import keras

    if not isinstance(model, keras.Model):
        raise ValueError(
            "model must be a keras.Model or the path of a .keras or .h5 file. "
            f"Received: {type(model).__name__}."
        )
    if not getattr(model, "inputs", None):
        raise ValueError(
            f"The inputs of the model are not known. Received: model {model.name!r} of type "
            f"{type(model).__name__}. Build it with keras.Input(...), or wrap it: keras.Model(x, model(x))."
        )
    return model


def _converter(function):
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], function)
    converter.exclude_conversion_metadata = True
    # Lowering through a SavedModel would cost seconds and lose the order of the inputs.
    converter.experimental_lower_to_saved_model = False
    # The function is frozen already; freezing it again would take as long as the conversion itself.
    frozen = (function.graph.as_graph_def(), function.inputs, function.outputs, function)
    converter._freeze_concrete_function = lambda: frozen
    return converter


def _prepare_int8(converter, function, specs, representative_data):
    """Sets the converter to int8 and returns the samples for its calibration, none for a quantized model."""
    import tensorflow as tf

    is_quantized = bool(_widths(function))
    if not _widths(function) <= {4, 8}:
        raise ValueError(
            f"The ranges of this model are those of {_named(_widths(function))} bits. Received: an int8 "
            'dtype. Leave dtype out, or pass dtype="int16x8".'
        )
    if is_quantized and representative_data is not None:
        raise ValueError(
            "This model brings its own ranges, so representative_data would be ignored. "
            "Received: representative_data for a quantization-aware model. Leave it out."
        )
    if not is_quantized and representative_data is None:
        raise ValueError(
            "A float model needs representative_data, from which its ranges are observed. "
            "Received: representative_data=None. Pass a few hundred inputs, or quantize the model first."
        )
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    if is_quantized:
        return []
    ready = [
        [part[i : i + 1] for part in batch]
        for batch in samples.batches(specs, representative_data, 256)
        for i in range(len(batch[0]))
    ]
    converter.representative_dataset = lambda: iter(ready)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    return ready


def _trace(model, specs):
    """Returns the concrete function of the model in inference, with a static batch of 1."""
    import keras
    import tensorflow as tf

    free = {spec.name: spec.shape for spec in specs if None in spec.shape[1:]}
    if free:
        raise ValueError(
            "Every dimension but the batch must be known, since a microcontroller plans its memory ahead. "
            f"Received: inputs {free}. Build the model with a fixed keras.Input(shape=...)."
        )
    signature = [
        tf.TensorSpec((1, *spec.shape[1:]), spec.dtype, name=re.sub(r"\W", "_", spec.name)) for spec in specs
    ]

    def serve(*inputs):
        if isinstance(model, SavedModel):
            return model.call(*inputs)
        return keras.tree.flatten(model(samples.packed(model, inputs), training=False))

    with single_precision(model):
        traced = tf.function(serve, input_signature=signature, autograph=False).get_concrete_function()
    return fold_constants(traced)


def _widths(function) -> set[int]:
    """Returns the widths of the fake-quantized values, none for a float model."""
    rounding = [op for op in _all_operations(function) if "FakeQuant" in op.type]
    return {int(op.get_attr("num_bits")) for op in rounding}


def _named(widths) -> str:
    return " and ".join(map(str, sorted(widths)))


def _all_operations(function):
    graph = function.graph
    yield from graph.get_operations()
    for inner in graph._functions.values():
        yield from getattr(inner, "graph", graph).get_operations()


def _run(converter, ready, lstms) -> bytes:
    """Runs a TFLiteConverter with its native parts in processes of their own."""
    import tensorflow as tf
    from tensorflow.compiler.mlir.lite.python import wrap_converter
    from tensorflow.lite.python.convert import mlir_quantize

    def quantize(content, input_type, output_type, *_):
        if input_type == tf.int16:
            return quantize16_in_subprocess(ready, content)
        return mlir_quantize(content, input_data_type=input_type, output_data_type=output_type)

    def convert_graph(model_flags, converter_flags, graph, *rest):
        return convert_in_subprocess(model_flags, converter_flags, insert_lstms(graph, lstms), *rest)

    # TensorFlow's own step would calibrate in this process.
    converter._quantize = quantize
    ours = {
        "wrapped_convert": convert_graph,
        "wrapped_experimental_mlir_quantize": functools.partial(quantize_in_subprocess, ready),
    }
    originals = {name: getattr(wrap_converter, name) for name in ours}
    for name, function in ours.items():
        setattr(wrap_converter, name, function)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Statistics for quantized inputs were expected")
            return converter.convert()
    except ConversionError:
        raise
    except Exception as error:
        raise ConversionError(_first_reason(error)) from error
    finally:
        for name, function in originals.items():
            setattr(wrap_converter, name, function)


def _first_reason(error) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return "\n".join(lines[:6]) if lines else type(error).__name__


def _with_signature(content, input_names, output_names) -> bytes:
    """Returns the file with a signature that names inputs and outputs as the Keras model does."""
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.tools import flatbuffer_utils

    stored = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    main = stored.subgraphs[0]

    def named(names, indices):
        entries = []
        for name, index in zip(names, indices, strict=True):
            entry = schema.TensorMapT()
            entry.name, entry.tensorIndex = name, int(index)
            entries.append(entry)
        return entries

    signature = schema.SignatureDefT()
    signature.signatureKey = SIGNATURE_KEY
    signature.subgraphIndex = 0
    signature.inputs = named(input_names, main.inputs)
    signature.outputs = named(output_names, main.outputs)
    stored.signatureDefs = [signature]
    stored.description = "keras_shrink"
    return bytes(flatbuffer_utils.convert_object_to_bytearray(stored))


def _output_names(model):
    """Names of the layers that make the outputs, numbered where one makes several."""
    seen: dict[str, int] = {}
    result = []
    for tensor in model.outputs:
        name = tensor._keras_history.operation.name
        seen[name] = seen.get(name, -1) + 1
        result.append(f"{name}_{seen[name]}" if seen[name] else name)
    return result


def _check_floats(content, allowed):
    """Raises if operators compute in float; where that was asked for, warns which."""
    graph = read(content)
    floats = []
    for op in graph.main.ops:
        indices = [index for index in (*op.inputs, *op.outputs) if index >= 0]
        if any(graph.main.tensors[index].dtype.startswith("float") for index in indices):
            name = graph.main.tensors[op.outputs[0]].name if op.outputs else ""
            floats.append(f"  {op.code} {name.split(';')[0]}")
    if not floats:
        return
    if allowed:
        warnings.warn(
            f"{len(floats)} operator(s) compute in float or lead to one that does, as the model asks:\n"
            + "\n".join(floats),
            stacklevel=5,
        )
        return
    raise ConversionError(
        f"{len(floats)} operator(s) would still compute in float:\n"
        + "\n".join(floats)
        + "\nReplace these layers by ones that have an integer form, or leave them out of the model."
    )
