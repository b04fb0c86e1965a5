r"""Search strategies against random search on mnist1d, at equal trials.

    KERAS_SHRINK_DATA=... python benchmarks/search_strategies.py run --folder OUT
    python benchmarks/search_strategies.py plot --folder OUT --out docs/search_strategies.svg

Every strategy trains as many candidates of one space under the same limits, with the same short training,
once for each seed. Candidates are compared on 800 digits that are held back; what is plotted is the accuracy
on the 1,000 test digits of the candidate that was best so far. A candidate that was trained before, by
whatever strategy, has the result it had. The gradient strategy first trains its supernet; `plot` prints how
many candidates could have been trained in that time. A run that is cut off (or stopped by `--minutes`) goes
on when its command is given again.
"""

import argparse
import hashlib
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

SEEDS, TRIALS = range(5), 16
STRATEGIES = ("random", "evolution", "reinforcement", "gradient")
HELD_BACK = 800


class Remembered:
    """Trains in a plain way, and remembers the results of every architecture.

    Args:
        folder: Of the benchmark.
        log: File that gets a line for each candidate of this search.
        test: The test data.
        minutes: After which the program is left.
    """

    def __init__(self, folder, log, test, minutes):
        self.known_at, self.log, self.test = Path(folder) / "known.jsonl", log, test
        self.end = time.time() + 60 * minutes

    def __call__(self, model, train, validation, report):
        """Returns the accuracy on `validation`."""
        if time.time() > self.end:
            sys.exit(75)
        name = hashlib.sha256(model.to_json().encode()).hexdigest()[:16]
        row = {each["name"]: each for each in _lines(self.known_at)}.get(name)
        if row is None:
            began = time.process_time()
            row = {"name": name} | self._trained(model, train, validation)
            row["seconds"] = round(time.process_time() - began, 2)
            _write_line(self.known_at, row)
        _write_line(self.log, row)
        return row["validation"]

    def _trained(self, model, train, validation):
        import keras

        steps = 6 * -(-len(train[1]) // 32)
        rate = keras.optimizers.schedules.CosineDecay(1e-2, steps, alpha=0.02)
        model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", jit_compile=False)
        model.fit(*train, batch_size=32, epochs=6, verbose=0)
        right = {}
        for part, (x, y) in {"validation": validation, "test": self.test}.items():
            right[part] = float(np.mean(np.argmax(model.predict_on_batch(x), axis=-1) == y))
        return right


def _lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _write_line(path, row):
    with path.open("a") as file:
        file.write(json.dumps(row) + "\n")


def run(given):
    """Runs all searches that are not done."""
    import real_data

    import keras_shrink as ks
    from keras_shrink import search

    (x, y), (x_test, y_test) = real_data.load("mnist1d")
    x, x_test = x[..., None], x_test[..., None]
    train, held_back = (x[:-HELD_BACK], y[:-HELD_BACK]), (x[-HELD_BACK:], y[-HELD_BACK:])
    space = search.spaces.cnn_1d((40, 1), 10, most_filters=32)
    limits = search.Limits(flash="9 KB", instructions="100k")
    for seed in SEEDS:
        for strategy in given.strategies:
            folder = Path(given.folder) / f"{strategy}_{seed}"
            folder.mkdir(parents=True, exist_ok=True)
            log, took = folder / "log.jsonl", folder / "supernet_seconds"
            chosen = strategy
            if strategy == "gradient":
                began = time.process_time()
                chosen = search.Gradient(seed=seed)
                chosen.prepare(space, train, limits, folder)
                if not took.exists():
                    took.write_text(str(time.process_time() - began))
            if len(_lines(log)) >= TRIALS:
                continue
            ks.search_architecture(
                space, train, held_back, folder=folder, limits=limits, strategy=chosen, trials=TRIALS,
                trainer=Remembered(given.folder, log, (x_test, y_test), given.minutes), seed=seed,
            )  # fmt: skip
            print(strategy, seed, round(max(row["validation"] for row in _lines(log)), 4), flush=True)


def curves(folder):
    """Returns strategy -> array `(seeds, trials)`: test accuracy of the candidate that was best so far."""
    found = {}
    for strategy in STRATEGIES:
        rows = []
        for seed in SEEDS:
            log = _lines(folder / f"{strategy}_{seed}" / "log.jsonl")[:TRIALS]
            if len(log) < TRIALS:
                continue
            best = np.maximum.accumulate([row["validation"] for row in log])
            firsts = [next(i for i, row in enumerate(log) if row["validation"] == value) for value in best]
            rows.append([100 * log[i]["test"] for i in firsts])
        if rows:
            found[strategy] = np.array(rows)
    return found


def plot(given):
    """Draws the curves, and prints how they end."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axis = figure.subplots()
    found = curves(Path(given.folder))
    for strategy, rows in found.items():
        mean, spread = rows.mean(0), rows.std(0, ddof=1) / np.sqrt(len(rows))
        trials = np.arange(1, TRIALS + 1)
        (line,) = axis.plot(trials, mean, label=strategy)
        axis.fill_between(trials, mean - spread, mean + spread, color=line.get_color(), alpha=0.15, lw=0)
        gain = rows[:, -1] - found["random"][: len(rows), -1]
        print(
            f"{strategy:>14}  {mean[-1]:.2f} +- {spread[-1]:.2f}  over random {gain.mean():+.2f}  "
            f"{' '.join(f'{value:.1f}' for value in rows[:, -1])}"
        )
    folder = Path(given.folder)
    candidate = np.mean([row["seconds"] for row in _lines(folder / "known.jsonl")])
    supernets = [float(path.read_text()) for path in folder.glob("gradient_*/supernet_seconds")]
    print(f"a candidate takes {candidate:.1f} s, a supernet {np.round(supernets, 1).tolist()} s of one core")
    axis.set(xlabel="trials", ylabel="test accuracy of the best so far, %", ylim=(70, None))
    axis.legend()
    figure.savefig(given.out, metadata={"Date": None})


def main():
    """Runs or plots."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stage", choices=["run", "plot"])
    parser.add_argument("--folder", required=True)
    parser.add_argument("--strategies", nargs="+", default=STRATEGIES, choices=STRATEGIES)
    parser.add_argument("--minutes", type=float, default=1e6)
    parser.add_argument("--out", default="docs/search_strategies.svg")
    given = parser.parse_args()
    Path(given.folder).mkdir(parents=True, exist_ok=True)
    {"run": run, "plot": plot}[given.stage](given)


if __name__ == "__main__":
    main()
