"""What pruning and clustering made of weights is there after quantization-aware training, and in the file."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_shrink as ks
import tflite_export as te
from keras_shrink import select

KERNELS = ("conv", "depthwise", "pointwise", "scores")


def network(normalized=True):
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((8, 8, 4))
    x = layers.Conv2D(16, 3, name="conv")(x)
    x = layers.BatchNormalization(name="norm")(x) if normalized else x
    x = layers.ReLU(name="relu")(x)
    x = layers.DepthwiseConv2D(3, activation="relu", name="depthwise")(x)
    x = layers.Conv2D(24, 1, activation="relu", name="pointwise")(x)
    outputs = layers.Dense(12, name="scores")(layers.Flatten(name="flat")(x))
    model = keras.Model(inputs, outputs)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.005), loss, jit_compile=False)
    return model


def trained(model):
    """Trains with momentum behind every weight, so that what is not held drifts."""
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(64, 8, 8, 4)), generator.integers(0, 12, 64)
    model.fit(x.astype("float32"), y, batch_size=16, epochs=2, verbose=0)
    return model


def kernels(model):
    """Returns name -> the kernel of a plain model, or the one that a quantized model computes with."""
    found = {}
    for name in KERNELS:
        layer = model.get_layer(name)
        transformed = getattr(layer, "transformed", None)
        found[name] = np.asarray(transformed("kernel") if transformed else layer.kernel)
    return found


def integers(model):
    """Returns the int8 kernels of the exported file, channels out last: name -> array of Keras' shape."""
    graph = te.convert(model).graph
    found = {}
    for op in graph.subgraphs[0].ops:
        if op.code not in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
            continue
        data = graph.subgraphs[0].tensors[op.inputs[1]].data
        name = KERNELS[len(found)]
        if name == "depthwise":
            found[name] = data.reshape(3, 3, -1, 1)
        else:
            found[name] = np.moveaxis(data, 0, -1)
    assert len(found) == len(KERNELS)
    return found


PATTERNS = {
    "element": (0.7, ks.Element()),
    "block": (0.6, ks.Block((1, 4))),
    "n of m": (0.5, ks.NofM(2, 4)),
}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_zeros_and_their_pattern_are_there_after_training_and_in_the_file(pattern):
    fraction, shape = PATTERNS[pattern]
    chosen = ~select.by_name("depthwise") if pattern != "element" else select.has_kernel
    pruned = ks.prune(network(), fraction, layers=chosen, pattern=shape)
    zeros = {name: kernel == 0 for name, kernel in kernels(pruned).items()}
    qat = trained(ks.quantize(pruned))
    after, exported = kernels(qat), integers(qat)
    for name in KERNELS:
        assert (after[name] != kernels(pruned)[name]).any()
        assert not after[name][zeros[name]].any()
        assert not exported[name][zeros[name]].any()
        if name != "depthwise" or pattern == "element":
            assert zeros[name].mean() == pytest.approx(fraction, abs=0.03)
    if pattern == "n of m":
        for name in ("conv", "pointwise", "scores"):
            rows = np.moveaxis(exported[name] != 0, -2, -1).reshape(-1, 4)
            assert (rows.sum(axis=1) <= 2).all()


@pytest.mark.parametrize("pattern", [None, "element", "n of m"])
@pytest.mark.parametrize("per_channel", [False, True])
def test_shared_values_are_shared_after_training_and_in_the_file(per_channel, pattern):
    model = network(normalized=per_channel)
    if pattern:
        fraction, shape = PATTERNS[pattern]
        chosen = ~select.by_name("depthwise")
        model = ks.prune(model, fraction, layers=chosen, pattern=shape)
    chosen = ~select.by_name("depthwise") if per_channel else select.has_kernel
    clustered = trained(ks.cluster(model, 4, layers=chosen, per_channel=per_channel))
    before = kernels(ks.bake(clustered))
    qat = trained(ks.quantize(clustered))
    after, exported = kernels(qat), integers(qat)
    for name in KERNELS:
        if per_channel and name == "depthwise":
            continue
        channels = before[name].shape[-1 if name != "depthwise" else -2] if per_channel else 1
        assert (after[name] != before[name]).any()
        for old, new, file in zip(
            *(tables(each[name], channels) for each in (before, after, exported)), strict=True
        ):
            assert len(np.unique(new)) <= 4
            assert len(np.unique(file)) <= 4
            for value in np.unique(old):
                same = old == value
                assert len(np.unique(new[same])) == 1
                assert len(np.unique(file[same])) == 1
            assert not new[old == 0].any()
            assert not file[old == 0].any()


def tables(kernel, channels):
    return np.moveaxis(kernel, -1, 0).reshape(channels, -1)


def test_post_training_quantization_keeps_both():
    clustered = ks.cluster(ks.prune(network(normalized=False), 0.5), 8)
    x = np.random.default_rng(1).normal(size=(32, 8, 8, 4)).astype("float32")
    before, exported = kernels(ks.bake(clustered)), integers(ks.calibrate(clustered, x))
    for name in KERNELS:
        assert not exported[name][before[name] == 0].any()
        assert 2 <= len(np.unique(exported[name])) <= 8


def test_a_quantized_clustered_model_is_saved_and_goes_on_sharing(tmp_path):
    qat = trained(ks.quantize(ks.cluster(network(normalized=False), 4)))
    qat.save(tmp_path / "qat.keras")
    loaded = trained(keras.saving.load_model(tmp_path / "qat.keras"))
    for name in KERNELS:
        assert len(np.unique(kernels(loaded)[name])) <= 4
