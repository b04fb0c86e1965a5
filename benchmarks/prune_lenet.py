"""LeNet-300-100 and LeNet-5 (Caffe's) on MNIST: the classic compression table, and how far surgery goes.

    KERAS_SHRINK_DATA=... python benchmarks/prune_lenet.py --network 300-100 --seeds 0 1 2

Each seed trains a float network, kept in the folder --floats, and prunes a copy of it once per compression.
Compression is the number of all parameters over the number that is left (weights that are not zero, and
every bias); the cost of saying which are left is given beside it, as the bytes of float32 values plus one bit
per weight for a bitmap. With --bfloat16 the layers compute in bfloat16 while they train, which is nearly
twice as fast on a CPU that multiplies it; errors are always those of the float32 network.
"""

import argparse
import json
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import real_data
from keras import layers
from shuffled import Shuffled, shifted

import keras_shrink as ks


def lenet_300_100(drop):
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Flatten(),
            layers.Dense(300, activation="relu", name="ip1"),
            layers.Dropout(drop),
            layers.Dense(100, activation="relu", name="ip2"),
            layers.Dropout(drop / 2),
            layers.Dense(10, name="ip3"),
        ]
    )


def lenet_5(drop):
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(20, 5, name="conv1"),
            layers.MaxPooling2D(),
            layers.Conv2D(50, 5, name="conv2"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(drop),
            layers.Dense(500, activation="relu", name="ip1"),
            layers.Dropout(drop),
            layers.Dense(10, name="ip2"),
        ]
    )


STOP = keras.callbacks.TerminateOnNaN()
NETWORKS = {"300-100": lenet_300_100, "5": lenet_5}
# Shares of the weights left that each layer gets, in the order of its layers; a layer can be full before.
SHARES = {
    "300-100": {"ip1": 0.72, "ip2": 0.24, "ip3": 0.04},
    "5": {"conv1": 0.024, "conv2": 0.26, "ip1": 0.655, "ip2": 0.061},
}


class Shifted(Shuffled):
    """Digits, each shifted by up to `pixels` in both directions."""

    def __init__(self, x, y, batch_size, pixels, seed):
        padded = np.pad(x[..., 0], ((0, 0), (pixels, pixels), (pixels, pixels)))
        self.far = 2 * pixels + 1
        super().__init__(shifted(padded, (28, 28)), y, batch_size, seed)

    def on_epoch_end(self):
        """Puts the digits into another order, and shifts them anew."""
        super().on_epoch_end()
        self.shifts = self.random.integers(0, self.far, (2, len(self.y)))

    def __getitem__(self, index):
        part = slice(index * self.batch_size, (index + 1) * self.batch_size)
        rows, (down, right) = self.order[part], self.shifts[:, part]
        return self.x[rows, down, right][..., None], self.y[rows]


def fit(model, data, epochs, options, seed, callbacks=()):
    """Trains a model, on shifted digits if the options say so."""
    settings = {"epochs": epochs, "verbose": options.verbose, "callbacks": [*callbacks, STOP]}
    if options.shift:
        model.fit(Shifted(*data[0], options.batch_size, options.shift, seed), **settings)
    else:
        model.fit(*data[0], batch_size=options.batch_size, **settings)


def trained(data, options, seed):
    """Returns the float network of a seed: from the folder of the options if it is there, or trained now."""
    name = f"lenet{options.network}_seed{seed}_epochs{options.epochs}_drop{options.drop}_shift{options.shift}"
    path = Path(options.floats or "") / f"{name}.weights.h5"
    model = NETWORKS[options.network](options.drop)
    if options.floats and path.exists():
        model.load_weights(path)
        return model
    steps = options.epochs * len(data[0][1]) // options.batch_size
    compiled(model, adam(options.learning_rate, steps))
    fit(model, data, options.epochs, options, seed)
    if options.floats:
        path.parent.mkdir(parents=True, exist_ok=True)
        model.save_weights(path)
    return model


def compiled(model, optimizer):
    model.compile(
        optimizer,
        keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        steps_per_execution=10,
        jit_compile=False,  # several times faster here than XLA's convolutions on a CPU
    )
    return model


def adam(learning_rate, steps):
    return keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(learning_rate, steps))


def sgd(learning_rate, steps, options):
    """Returns the optimizer for pruning; under surgery Adam would bring noise back from behind the masks."""
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    return keras.optimizers.SGD(
        schedule,
        momentum=0.9,
        nesterov=True,
        weight_decay=options.weight_decay,
        global_clipnorm=options.clip,
    )


def kept_weights(network, sizes, total):
    """Returns how many weights each layer keeps of `total`, by its share and at most its size."""
    kept, open_layers = {}, dict(SHARES[network])
    while open_layers:
        rest = total - sum(kept.values())
        scale = rest / sum(open_layers.values())
        full = [name for name, share in open_layers.items() if share * scale >= 0.99 * sizes[name]]
        if not full:
            return kept | {name: share * scale for name, share in open_layers.items()}
        for name in full:
            kept[name] = 0.99 * sizes[name]
            del open_layers[name]
    return kept


def error_of(network, model, data):
    """Returns the test error in percent of the network with the weights of `model`, in float32."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    judged = NETWORKS[network](0.0)
    keras.config.set_dtype_policy(policy)
    judged.set_weights(model.get_weights())
    predicted = judged.predict(data[1][0], batch_size=1000, verbose=0)
    return 100.0 * float(np.mean(predicted.argmax(axis=1) != data[1][1].argmax(axis=1)))


def left_over(model):
    """Returns the parameters that are not zero (all biases count), and the bytes of values and bitmap."""
    kernels = [kernel.variable.numpy() for kernel in ks.select.find_kernels(model)]
    weights = sum(w.size for w in kernels)
    nonzero = sum(int(np.count_nonzero(w)) for w in kernels)
    biases = model.count_params() - weights
    return nonzero + biases, 4 * (nonzero + biases) + weights // 8


def softened(dense, data, temperature):
    """Returns the data with training labels halfway to what the float network says of the digits."""
    (x, y), test = data
    logits = dense.predict(x, batch_size=1000, verbose=0).astype("float32") / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return [(x, 0.5 * y + 0.5 * powers / powers.sum(axis=1, keepdims=True)), test]


def prune(dense, data, compression, options, surgery, seed):
    """Returns a pruned copy of a trained network, and the callback that did it."""
    if options.soften:
        data = softened(dense, data, options.soften)
    model = NETWORKS[options.network](options.drop_surgery if surgery else options.drop_gradual)
    model.set_weights(dense.get_weights())
    epochs = options.surgery_epochs if surgery else options.gradual_epochs
    steps = epochs * len(data[0][1]) // options.batch_size
    rate = options.surgery_rate if surgery else options.gradual_rate
    compiled(model, sgd(rate, steps, options))
    sizes = {
        kernel.layer.name: int(np.prod(kernel.variable.shape)) for kernel in ks.select.find_kernels(model)
    }
    total = model.count_params()
    kept = kept_weights(options.network, sizes, total / compression - (total - sum(sizes.values())))
    end = int(options.ramp * steps)
    callback = ks.GradualPruning(
        {
            ks.select.by_name(name): ks.schedules.polynomial(0.0, 1.0 - kept[name] / size, end_step=end)
            for name, size in sizes.items()
        },
        frequency=10 if surgery else 100,
        surgery=ks.pruning.Surgery(until=int(options.regrow * steps)) if surgery else None,
    )
    fit(model, data, epochs, options, seed, [callback])
    return model, callback


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--network", choices=list(NETWORKS), default="300-100")
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2])
    parser.add_argument("--gradual", nargs="*", type=float, default=[12.1])
    parser.add_argument("--surgery", nargs="*", type=float, default=[40.1])
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--gradual-epochs", type=int, default=24)
    parser.add_argument("--surgery-epochs", type=int, default=30)
    parser.add_argument("--batch-size", type=int, default=100)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--gradual-rate", type=float, default=0.05)
    parser.add_argument("--surgery-rate", type=float, default=0.1)
    parser.add_argument("--weight-decay", type=float, default=5e-4)
    parser.add_argument("--clip", type=float, help="largest norm of a gradient while pruning")
    parser.add_argument("--drop", type=float, default=0.3)
    parser.add_argument("--drop-gradual", type=float, default=0.1)
    parser.add_argument("--drop-surgery", type=float, default=0.2)
    parser.add_argument("--ramp", type=float, default=0.45)
    parser.add_argument("--regrow", type=float, default=0.5)
    parser.add_argument("--shift", type=int, default=0, help="pixels by which digits are shifted in training")
    parser.add_argument(
        "--soften", type=float, help="temperature at which the float network teaches the pruned one"
    )
    parser.add_argument("--floats", help="folder that keeps the float networks from run to run")
    parser.add_argument("--verbose", type=int, default=0, help="as for fit")
    parser.add_argument("--bfloat16", action="store_true", help="compute in bfloat16 while training")
    options = parser.parse_args()
    if options.bfloat16:
        keras.config.set_dtype_policy("mixed_bfloat16")
    data = [
        ((x[..., None] / 255.0).astype("float32"), keras.utils.to_categorical(y, 10))
        for x, y in real_data.load("mnist")
    ]
    for seed in options.seeds:
        keras.utils.set_random_seed(seed)
        began = time.time()
        dense = trained(data, options, seed)
        row = {
            "network": options.network,
            "seed": seed,
            "method": "float",
            "parameters": dense.count_params(),
        }
        row["error"] = round(error_of(options.network, dense, data), 2)
        print(json.dumps(row | {"seconds": round(time.time() - began)}), flush=True)
        wanted = [(False, value) for value in options.gradual] + [(True, value) for value in options.surgery]
        for surgery, compression in wanted:
            began = time.time()
            model, callback = prune(dense, data, compression, options, surgery, seed)
            left, size = left_over(model)
            row = {
                "network": options.network,
                "seed": seed,
                "method": "surgery" if surgery else "gradual",
                "parameters": left,
                "compression": round(dense.count_params() / left, 1),
                "bytes ratio": round(4 * dense.count_params() / size, 1),
                "error": round(error_of(options.network, model, data), 2),
                "seconds": round(time.time() - began),
                "kept": {k: round(1 - v, 4) for k, v in callback.pruner.layer_sparsity.items()},
            }
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
