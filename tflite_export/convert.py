"""Converts a Keras model to an int8 `.tflite` with the scales it was trained with."""

from __future__ import annotations

import functools
import os
import re
import warnings

from tflite_export import samples
from tflite_export.converter_worker import convert_in_subprocess, quantize_in_subprocess
from tflite_export.errors import ConversionError
from tflite_export.fold import fold_constants
from tflite_export.load import load_keras
from tflite_export.model import TFLiteModel
from tflite_export.read import read

SIGNATURE_KEY = "serving_default"
DTYPES = ("int8", "float32")


def convert(model, representative_data=None, *, dtype="int8"):
    """Returns an int8 `.tflite`: int8 in, int8 out, batch 1, not one float tensor inside.

    A quantization-aware model (fake-quantized activations, weights on an integer grid) keeps exactly
    the scales it was trained with. A float model is quantized with ranges that TensorFlow observes
    on `representative_data`. The conversion proper runs in a process of its own.

    Args:
        model: A built `keras.Model`, or the path of a `.keras` or `.h5` file.
        representative_data: Inputs as the model will see them, needed for a float model only: an
            array with the batch first, a list of arrays for several inputs, or an iterable of
            batches. A few hundred samples do.
        dtype: `"int8"`, or `"float32"` for the float file that an int8 one is compared with.

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
    >>> tflite.inputs["input_layer"].dtype  # doctest: +SKIP
    'int8'
    """
    if dtype not in DTYPES:
        raise ValueError(f"dtype must be one of {DTYPES}. Received: dtype={dtype!r}.")
    if isinstance(model, str | os.PathLike):
        model = load_keras(model)
    specs = samples.specs_of(_checked_model(model))
    function = _trace(model, specs)
    converter = _converter(function)
    ready = []
    if dtype == "int8":
        ready = _prepare_int8(converter, function, specs, representative_data)
    elif representative_data is not None:
        raise ValueError(
            "Only int8 needs representative_data. Received: representative_data with dtype='float32'."
        )
    content = _with_signature(_run(converter, ready), model)
    if dtype == "int8":
        _refuse_float(content)
    return TFLiteModel(content)


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
    return converter


def _prepare_int8(converter, function, specs, representative_data):
    """Sets the converter to int8 and returns the samples for its calibration, none for a quantized model."""
    import tensorflow as tf

    is_quantized = any("FakeQuant" in op.type for op in _all_operations(function))
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
        return keras.tree.flatten(model(samples.packed(model, inputs), training=False))

    traced = tf.function(serve, input_signature=signature, autograph=False).get_concrete_function()
    return fold_constants(traced)


def _all_operations(function):
    graph = function.graph
    yield from graph.get_operations()
    for inner in graph._functions.values():
        yield from getattr(inner, "graph", graph).get_operations()


def _run(converter, ready) -> bytes:
    """Runs a TFLiteConverter with its native parts in processes of their own."""
    from tensorflow.compiler.mlir.lite.python import wrap_converter
    from tensorflow.lite.python.convert import mlir_quantize

    def quantize(content, input_type, output_type, *_):
        return mlir_quantize(content, input_data_type=input_type, output_data_type=output_type)

    # TensorFlow's own step would calibrate in this process.
    converter._quantize = quantize
    ours = {
        "wrapped_convert": convert_in_subprocess,
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


def _with_signature(content, model) -> bytes:
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
    signature.inputs = named([tensor.name for tensor in model.inputs], main.inputs)
    signature.outputs = named(_output_names(model), main.outputs)
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


def _refuse_float(content):
    graph = read(content)
    floats = []
    for op in graph.main.ops:
        indices = [index for index in (*op.inputs, *op.outputs) if index >= 0]
        if any(graph.main.tensors[index].dtype.startswith("float") for index in indices):
            name = graph.main.tensors[op.outputs[0]].name if op.outputs else ""
            floats.append(f"  {op.code} {name.split(';')[0]}")
    if floats:
        raise ConversionError(
            f"{len(floats)} operator(s) would still compute in float:\n"
            + "\n".join(floats)
            + "\nReplace these layers by ones that have an integer form, or leave them out of the model."
        )
