"""MLPerf Tiny's anomaly autoencoder at a third of its parameters, by `factorize` and fine-tuning.

    KERAS_SHRINK_MODELS=... python benchmarks/factorize_autoencoder.py

The machine sounds that `mlperf_ad01.h5` was trained on are no part of this. In their place are spectra
that the model itself holds for usual: its eight latent values are drawn as their BatchNormalization has
them (normal with its beta and gamma, then ReLU) and decoded, and noise of 3 dB stands for what a code of
eight values cannot hold. How near that comes to the real data is printed first: means and variances in front
of the first BatchNormalization, against those that are stored from training. Training and test draw from
different seeds. `--control` gives the same training to the original, so that nobody mistakes training for a
gift of factorization.
"""

import argparse
import json
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import real_data

import keras_shrink as ks


def decoder_of(model):
    """Returns the layers behind the narrowest activation as a model."""
    names = [layer.name for layer in model.layers]
    inputs = x = keras.Input(model.get_layer("activation_4").output.shape[1:])
    for name in names[names.index("activation_4") + 1 :]:
        x = model.get_layer(name)(x)
    return keras.Model(inputs, x)


def spectra(model, count, seed, noise):
    generator = np.random.default_rng(seed)
    latent = model.get_layer("batch_normalization_4")
    drawn = generator.normal(latent.beta.numpy(), latent.gamma.numpy(), (count, latent.beta.shape[0]))
    clean = decoder_of(model).predict(np.maximum(drawn, 0), batch_size=1000, verbose=0)
    return (clean + generator.normal(0, noise, clean.shape)).astype("float32")


def statistics(model, x):
    first, norm = model.get_layer("dense"), model.get_layer("batch_normalization")
    before = x @ first.kernel.numpy() + first.bias.numpy()
    deviation = np.sqrt(norm.moving_variance.numpy())
    return {
        "mean off by, in deviations": round(
            float(np.median(np.abs(before.mean(0) - norm.moving_mean.numpy()) / deviation)), 3
        ),
        "deviation over the stored": round(float(np.median(before.std(0) / deviation)), 3),
    }


def plan_for(model, share):
    """Returns the plan with the same share of each layer but the two around the code of eight values.

    One budget for all, by the energy of the kernels alone, leaves the last layer with a rank of 7: it would
    hold the spectra on a plane of seven dimensions, which costs more than that layer's energy says.
    """
    chosen = ~ks.select.by_name("dense_4", "dense_5")
    changing = sum(int(np.prod(k.variable.shape)) for k in ks.select.find_kernels(model, chosen))
    total = model.count_params()
    of_layer = (share * total - (total - changing)) / changing
    return ks.factorization.plan(model, layers=chosen, parameters=of_layer, scope="layer")


def error_of(model, x):
    return round(float(np.mean(np.square(model.predict(x, batch_size=1000, verbose=0) - x))), 4)


def fine_tuned(model, x, options):
    batches = -(-len(x) // options.batch_size)
    model.compile(
        keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(options.learning_rate, batches * options.epochs)
        ),
        "mse",
        steps_per_execution=20,
        jit_compile=False,
    )
    model.fit(x, x, batch_size=options.batch_size, epochs=options.epochs, verbose=0)
    return model


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parameters", type=float, default=1 / 3)
    parser.add_argument("--samples", type=int, default=16_000)
    parser.add_argument("--noise", type=float, default=3.0, help="in dB")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--control", action="store_true", help="fine-tune the original instead")
    options = parser.parse_args()
    keras.utils.set_random_seed(0)
    model = keras.saving.load_model(real_data.model_path("mlperf_ad01.h5"), compile=False)
    x, x_test = (spectra(model, n, seed, options.noise) for seed, n in enumerate((options.samples, 10_000)))
    print(json.dumps(statistics(model, x)), flush=True)
    began = time.time()
    plan = plan_for(model, options.parameters)
    print(plan)
    small = plan.apply()
    rows = {"original": model, "factored": small}
    for name, each in rows.items():
        row = {"model": name, "parameters": each.count_params(), "error": error_of(each, x_test)}
        print(json.dumps(row), flush=True)
    del rows["factored" if options.control else "original"]
    for name, each in rows.items():
        fine_tuned(each, x, options)
        row = {"model": f"{name}, fine-tuned", "error": error_of(each, x_test)}
        print(json.dumps(row | {"seconds": round(time.time() - began)}), flush=True)


if __name__ == "__main__":
    main()
