"""Accuracy of ResNet8 on CIFAR-10 with 2:4, block and element sparsity, fine-tuned for a few epochs.

    KERAS_SHRINK_DATA=... KERAS_SHRINK_MODELS=... python benchmarks/prune_resnet8.py --epochs 2

Every row starts from the trained float model `mlperf_resnet8.h5`; "none" is fine-tuned in the same way
without pruning. Sparsity counts the kernels of all convolutions and of the last layer; biases and
BatchNormalization stay dense. Element and block sparsity rank all layers together.
"""

import argparse
import json
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import real_data
from shuffled import Augmented

import keras_shrink as ks

CASES = {
    "none": None,
    "2:4 50%": (ks.NofM(2, 4), 0.5),
    **{f"element {s}%": (ks.Element(), s / 100) for s in (90, 80, 75, 50)},
    **{f"block 1x4 {s}%": (ks.Block((1, 4)), s / 100) for s in (90, 80, 75, 50)},
    "1:4 75%": (ks.NofM(1, 4), 0.75),
}


def run(case, data, epochs, batch_size, learning_rate, seed):
    keras.utils.set_random_seed(seed)
    (x, y), (x_test, y_test) = data
    model = keras.saving.load_model(real_data.model_path("mlperf_resnet8.h5"), compile=False)
    batches = Augmented(x, y, batch_size, seed)
    steps = len(batches) * epochs
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(learning_rate, steps)),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=False,  # faster here than XLA's convolutions on a CPU
    )
    callbacks = []
    if case is not None:
        pattern, sparsity = case
        schedule = ks.schedules.polynomial(0.0, sparsity, end_step=int(0.4 * steps))
        scope = "layer" if isinstance(pattern, ks.NofM) else ks.pruning.Global(min_kept=0.05)
        callbacks.append(ks.GradualPruning(schedule, pattern=pattern, scope=scope, frequency=50))
    model.fit(batches, epochs=epochs, verbose=0, callbacks=callbacks)
    accuracy = model.evaluate(x_test.astype("float32"), y_test, batch_size=500, verbose=0)[1]
    weights = [kernel.variable.numpy() for kernel in ks.select.find_kernels(model)]
    zeros = sum(int((w == 0).sum()) for w in weights) / sum(w.size for w in weights)
    return accuracy, zeros


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cases", nargs="*", default=list(CASES), choices=list(CASES))
    options = parser.parse_args()
    data = real_data.load("cifar10")
    model = keras.saving.load_model(real_data.model_path("mlperf_resnet8.h5"), compile=False)
    predicted = np.argmax(model.predict(data[1][0].astype("float32"), batch_size=500, verbose=0), axis=1)
    print(f"float, as given: accuracy {np.mean(predicted == data[1][1]):.4f}", flush=True)
    for name in options.cases:
        began = time.time()
        accuracy, zeros = run(
            CASES[name], data, options.epochs, options.batch_size, options.learning_rate, options.seed
        )
        row = {"case": name, "accuracy": round(accuracy, 4), "sparsity": round(zeros, 4)}
        print(json.dumps(row | {"seconds": round(time.time() - began)}), flush=True)


if __name__ == "__main__":
    main()
