"""What is left of ResNet8's accuracy right after channels are cut, by score and before any training.

    KERAS_SHRINK_DATA=... KERAS_SHRINK_MODELS=... python benchmarks/channels_scores.py

`mlperf_resnet8.h5` on 1,000 of CIFAR-10's training pictures, as it comes from `prune_channels` and with its
normalization re-estimated; `taylor` and the re-estimation look at 1,024 others.
"""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import real_data

import keras_shrink as ks


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scores", nargs="*", default=["l1", "l2", "gamma", "taylor"])
    options = parser.parse_args()
    (x, y), _ = real_data.load("cifar10")
    seen, held = x[:1024].astype("float32"), x[-1000:].astype("float32")
    labels, wanted = np.ravel(y)[:1024].astype("int32"), np.ravel(y)[-1000:]
    model = keras.saving.load_model(real_data.model_path("mlperf_resnet8.h5"), compile=False)

    def accuracy(one):
        return np.mean(one.predict(held, batch_size=500, verbose=0).argmax(axis=1) == wanted)

    print(f"whole: {accuracy(model):.1%}", flush=True)
    for name in options.scores:
        score = getattr(ks.channels, name, None)
        if name == "taylor":
            score = ks.channels.Taylor(seen, labels, loss="sparse_categorical_crossentropy")
        cells = []
        for macs in (0.8, 0.5):
            plan = ks.channels.plan(model, macs=macs, score=score)
            smaller = plan.apply()
            cells += [
                f"{accuracy(smaller):.1%}",
                f"{accuracy(ks.reestimate_normalization(smaller, seen)):.1%}",
            ]
            cells.append(f"{plan.parameters[1]:,}")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
