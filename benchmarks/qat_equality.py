r"""How far the quantized model in Keras is from the device, on real data.

    KERAS_SHRINK_DATA=... KERAS_SHRINK_MODELS=... \
        python benchmarks/qat_equality.py NAME [--samples N] [--epochs N]

NAME is `resnet8` (MLPerf Tiny's ResNet8 on CIFAR-10's test set) or `kws` (the weights of MLPerf Tiny's
DS-CNN on `kws12`). The model is calibrated, trained for some epochs, converted, and evaluated four times: in
Keras as it trains, by `predict`, with `simulate`, and by the standalone C, of which the other benchmarks show
that it is TFLM bit for bit.
"""

import argparse

import keras
import numpy as np
import real_data
from keras import layers

import keras_shrink as ks
import tflite_export as te
from tflite_export.affine import quantize_array
from tflite_export.c import native
from tflite_export.load import load_keras
from tflite_export.read import read


def resnet8():
    """Returns the model, the training data and the test data."""
    (x, y), (x_test, y_test) = real_data.load("cifar10")
    model = load_keras(real_data.model_path("mlperf_resnet8.h5"))
    return model, (x, np.ravel(y)), (x_test, np.ravel(y_test))


def kws():
    """Returns the DS-CNN with the weights of the float file, the training data and the test data."""
    (x, y), (x_test, y_test) = real_data.load("kws12")
    graph = read(real_data.model_path("x").parents[1] / "tflite" / "mlperf_kws_fp32.tflite")
    real = [((part.astype("float32") - 83) * 0.5847029)[..., None] for part in (x, x_test)]
    return as_keras(graph), (real[0], y), (real[1], y_test)


def as_keras(graph):
    """Returns a chain of convolutions, pooling and a dense layer as a Keras model with the file's weights."""
    parts, weights = [keras.Input(graph.inputs[0].shape[1:])], []
    for op in graph.main.ops:
        values = [stored(graph.main.tensors[i]) for i in op.inputs[1:]]
        options, layer = op.options, None
        activation = "relu" if getattr(options, "fused_activation_function", "") == "RELU" else None
        if op.code in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            window = {"strides": (options.stride_h, options.stride_w), "padding": options.padding.lower()}
            if op.code == "CONV_2D":
                kernel = values[0].transpose(1, 2, 3, 0)
                layer = layers.Conv2D(kernel.shape[3], kernel.shape[:2], activation=activation, **window)
            else:
                kernel = values[0].transpose(1, 2, 3, 0)
                layer = layers.DepthwiseConv2D(kernel.shape[:2], activation=activation, **window)
        elif op.code == "FULLY_CONNECTED":
            kernel = values[0].T
            layer = layers.Dense(kernel.shape[1], activation="softmax")
        elif op.code == "AVERAGE_POOL_2D":
            parts += [
                layers.AveragePooling2D((options.filter_height, options.filter_width)),
                layers.Flatten(),
            ]
        if layer is not None:
            parts.append(layer)
            weights += [kernel, values[1]]
    model = keras.Sequential(parts)
    model.set_weights(weights)
    return model


def stored(tensor):
    """Returns a constant as real numbers; the file keeps kernels in 8 bits."""
    if tensor.quantization is None:
        return tensor.data
    q = tensor.quantization
    scale = q.scale.reshape([-1 if d == q.axis else 1 for d in range(len(tensor.shape))])
    return (tensor.data * scale).astype("float32")


def outputs(model, x):
    """Returns predictions for pictures of any type."""
    return np.concatenate(
        [model.predict(x[i : i + 500].astype("float32"), verbose=0) for i in range(0, len(x), 500)]
    )


def report(title, steps, same, accuracy):
    """Prints a row of the table."""
    print(
        f"| {title} | {steps.max()} | {np.mean(steps > 0):.2%} | {np.mean(steps > 1):.2%} | {same:.2%} "
        f"| {accuracy:.2%} |",
        flush=True,
    )


def main():
    """Prints a table for one model."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=("resnet8", "kws"))
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=0)
    given = parser.parse_args()
    keras.utils.set_random_seed(0)
    model, (x, y), (x_test, y_test) = {"resnet8": resnet8, "kws": kws}[given.name]()
    x_test, y_test = x_test[: given.samples], y_test[: given.samples]
    mixed = np.random.default_rng(0).permutation(len(x))[
        :4000
    ]  # some data sets lie in order of their classes
    x, y = x[mixed].astype("float32"), y[mixed]
    quantized = ks.calibrate(model, x[:500])
    if given.epochs:
        quantized.compile(keras.optimizers.Adam(1e-4), "sparse_categorical_crossentropy")
        quantized.fit(x, y, epochs=given.epochs, verbose=2)
    file = te.convert(quantized)
    (target,) = file.graph.outputs
    shown = quantize_array(outputs(quantized, x_test), target).astype(int)
    computed = outputs(ks.simulate(file, dequantize=False), x_test).astype(int)
    calls = [np.asarray(quantized(x_test[i : i + 500].astype("float32"))) for i in range(0, len(x_test), 500)]
    called = quantize_array(np.concatenate(calls), target).astype(int)
    (on_c,) = native.run(file, [quantize_array(x_test.astype("float32"), file.graph.inputs[0])])
    on_c = on_c.reshape(computed.shape).astype(int)
    classes = on_c.argmax(1)
    print(
        f"{given.name}: {len(x_test)} samples, {given.epochs} epochs; the C: {np.mean(classes == y_test):.2%}"
    )
    print("| evaluated | max steps | differ | by more than one | same class | accuracy |")
    print("|---|---|---|---|---|---|")
    cases = {"in Keras, as it trains": called, "`evaluate`, `predict`": shown, "`ks.simulate`": computed}
    for title, values in cases.items():
        chosen = values.argmax(1)
        report(title, np.abs(values - on_c), np.mean(chosen == classes), np.mean(chosen == y_test))


if __name__ == "__main__":
    main()
