"""Accuracy of a MobileNet-like network with wide channel ranges after each step of `docs/calibration.md`.

    KERAS_SHRINK_DATA=... python benchmarks/calibration_steps.py [EPOCHS] [STEPS OF LEARN_ROUNDING]

A small MobileNet is trained on mnist1d, its channels are then widened in one layer and narrowed in the next
by up to 10^1.5 (the float network computes the same), and it is quantized with one scale per weight tensor
and one per output channel. Accuracies are those of the simulated int8 arithmetic over the whole test set.
"""

import sys
import time

import keras
import numpy as np
import real_data
from keras import layers

import keras_shrink as ks

EPOCHS, STEPS = (int(sys.argv[i]) if len(sys.argv) > i else default for i, default in ((1, 12), (2, 300)))


def mobile_network(shape):
    """Returns a MobileNet of three separable blocks, with ReLU6 as the original has it."""
    x = inputs = keras.Input(shape)
    for index, (filters, stride) in enumerate([(16, 2), (24, 1), (32, 2), (32, 1)]):
        if index == 0:
            x = layers.Conv2D(filters, (3, 1), (stride, 1), padding="same", use_bias=False, name="c0")(x)
            x = layers.BatchNormalization(name="n0")(x)
            x = layers.ReLU(6.0)(x)
            continue
        x = layers.DepthwiseConv2D((3, 1), padding="same", use_bias=False, name=f"d{index}")(x)
        x = layers.BatchNormalization(name=f"m{index}")(x)
        x = layers.ReLU(6.0)(x)
        x = layers.Conv2D(filters, 1, (stride, 1), use_bias=False, name=f"c{index}")(x)
        x = layers.BatchNormalization(name=f"n{index}")(x)
        x = layers.ReLU(6.0)(x)
    x = layers.Flatten()(x)
    return keras.Model(inputs, layers.Dense(10)(x))


def widen(model):
    """Scales channels between normalization and the next convolution, by functions that cancel out."""
    generator = np.random.default_rng(0)
    folded = ks.equalize(model, replace_relu6=True)
    for first, second in (("c0", "d1"), ("d1", "c1"), ("c1", "d2"), ("d2", "c2"), ("c2", "d3"), ("d3", "c3")):
        a, b = folded.get_layer(first), folded.get_layer(second)
        factors = 10 ** generator.uniform(-0.75, 0.75, a.bias.shape)
        kernel = a.kernel.numpy()
        a.kernel.assign(kernel * factors.reshape(-1, 1) if first.startswith("d") else kernel * factors)
        a.bias.assign(a.bias * factors)
        b.kernel.assign(b.kernel.numpy() / factors.reshape(-1, 1))
    return folded


def main():
    (x, y), (x_test, y_test) = real_data.load("mnist1d")
    x, x_test = (np.reshape(a, (len(a), -1, 1, 1)).astype("float32") for a in (x, x_test))
    keras.utils.set_random_seed(0)
    model = mobile_network(x.shape[1:])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(5e-3), loss)
    model.fit(x, y, batch_size=128, epochs=EPOCHS, verbose=0)
    samples = x[:256]
    wide = widen(model)

    def row(name, make, config):
        start = time.process_time()
        made = make()
        seconds = time.process_time() - start
        network = made if config is None else ks.calibrate(made, samples, config)
        right = network.predict(x_test, batch_size=256, verbose=0).argmax(axis=1) == np.ravel(y_test)
        print(f"| {name} | {np.mean(right):.2%} | {seconds:.1f} |", flush=True)
        return made

    print("| network | accuracy | CPU s of the step |\n|---|---|---|")
    row("float", lambda: model, None)
    row("float, ReLU6 replaced, channels widened", lambda: wide, None)
    row("int8 per channel, widened", lambda: wide, ks.Int8())
    tensor = ks.Int8(per_channel=False)
    row("int8 per tensor, widened", lambda: wide, tensor)
    row("+ correct_bias alone", lambda: ks.correct_bias(wide, samples, tensor), tensor)
    row("+ learn_rounding alone", lambda: ks.learn_rounding(wide, samples, tensor, steps=STEPS), tensor)
    equal = row("+ equalize alone", lambda: ks.equalize(wide), tensor)
    row("+ equalize, correct_bias", lambda: ks.correct_bias(equal, samples, tensor), tensor)
    row("+ equalize, int8 per channel", lambda: equal, ks.Int8())


if __name__ == "__main__":
    main()
