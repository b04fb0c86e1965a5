r"""Search strategies against random search on mnist1d, at equal trials, over a table of all candidates.

    KERAS_SHRINK_DATA=... python benchmarks/search_strategies.py table --folder OUT
    KERAS_SHRINK_DATA=... python benchmarks/search_strategies.py run --folder OUT
    python benchmarks/search_strategies.py plot --folder OUT --out docs/images/search_strategies.svg

The space is small, so that each of its architectures within the limits can be trained beforehand: twice, from
two fixed seeds that do not depend on the search. A candidate's score is the mean accuracy of the two on 1,000
examples that are held back; what is plotted is their accuracy on the 1,000 test examples, for the candidate
whose score was best so far. Searches look candidates up, so that strategies differ by what they propose and
by nothing else. The gradient strategy first trains its supernet; `plot` prints how many candidates could have
been trained in that time. A run that is cut off (or stopped by `--minutes`) goes on when its command is given
again.

Reference:
    Ying et al., 2019 (NAS-Bench-101), arXiv:1902.09635.
"""

import argparse
import hashlib
import itertools
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

TRIALS = 40
STRATEGIES = ("random", "evolution", "reinforcement", "gradient")
HELD_BACK, EPOCHS, BATCH, TRAININGS = 1000, 12, 64, 2
LIMITS = {"flash": "8.5 KB", "instructions": "50k"}


def space(choices):
    """Three convolutions along time, the later two depthwise separable or not."""
    from keras_shrink import search

    sketch = search.Sketch((40, 1))
    x = sketch.image_of_one_row(sketch.input)
    for number in (1, 2, 3):
        filters = choices.int(f"filters_{number}", 8, 16 if number == 1 else 24, step=8)
        kernel = choices.categorical(f"kernel_{number}", (3, 7))
        stride = choices.categorical(f"stride_{number}", (1, 2))

        def full(x=x, filters=filters, kernel=kernel, stride=stride):
            return sketch.conv(x, filters, kernel, stride=stride)

        def separable(x=x, filters=filters, kernel=kernel, stride=stride):
            return sketch.conv(sketch.depthwise(x, kernel, stride=stride), filters, 1)

        which = number > 1 and choices.categorical("separable", (False, True))
        x = sketch.either(which, {False: full, True: separable})
    sketch.dense(sketch.average(x), 10, activation="softmax")
    return sketch


def data():
    """Returns the training, held back and test pairs."""
    import real_data

    (x, y), (x_test, y_test) = real_data.load("mnist1d")
    x, x_test = x[..., None], x_test[..., None]
    return (x[:-HELD_BACK], y[:-HELD_BACK]), (x[-HELD_BACK:], y[-HELD_BACK:]), (x_test, y_test)


def candidates():
    """Yields the choices and the sketch of each candidate within the limits."""
    from keras_shrink import search
    from keras_shrink.search.choices import Chosen
    from keras_shrink.search.costs import cost_of
    from keras_shrink.search.mixture import Undecided

    undecided, limits = Undecided(), search.Limits(**LIMITS)
    space(undecided)
    for values in itertools.product(*undecided.options.values()):
        choices = dict(zip(undecided.options, values, strict=True))
        sketch = space(Chosen(choices))
        if not limits.broken_by(cost_of(sketch.graph())):
            yield choices, sketch


def architecture(model):
    """Returns a name for all that a model is but its weights."""
    return hashlib.sha256(model.to_json().encode()).hexdigest()[:16]


def table(given):
    """Trains every candidate that is not in the table yet."""
    import keras

    from keras_shrink.search.building import build

    path, end = Path(given.folder) / "table.jsonl", time.time() + 60 * given.minutes
    known = [row["choices"] for row in _lines(path)]
    train, held_back, test = data()
    for choices, sketch in candidates():
        if choices in known:
            continue
        if time.time() > end:
            sys.exit(75)
        began = time.process_time()
        keras.backend.clear_session()
        model = build(sketch)
        row = {"name": architecture(model), "choices": choices} | trained(model, train, held_back, test)
        _write_line(path, row | {"seconds": round(time.process_time() - began, 2)})


def trained(model, train, held_back, test):
    """Returns the accuracies of each training; all steps run in one graph, since these are tiny."""
    import keras
    import tensorflow as tf

    x, y = (tf.constant(each) for each in (train[0], train[1].astype("int64")))
    judged = tf.constant(np.concatenate([held_back[0], test[0]]))
    steps = EPOCHS * (len(y) // BATCH)
    variables = [each.value for each in model.trainable_variables]
    moments = [[tf.Variable(tf.zeros_like(each)) for each in variables] for _ in range(2)]
    rates = [0.02 + 0.49 * (1 + np.cos(np.pi * step / steps)) for step in range(steps)]
    rates = tf.constant(1e-2 * np.array(rates), "float32")

    @tf.function
    def fit(order):
        for step in tf.range(steps):
            batch = order[step]
            with tf.GradientTape() as tape:
                chances = model(tf.gather(x, batch), training=True)
                loss = keras.losses.sparse_categorical_crossentropy(tf.gather(y, batch), chances)
                loss = tf.reduce_mean(loss)
            done = tf.cast(step + 1, "float32")
            slots = zip(variables, *moments, tape.gradient(loss, variables), strict=True)
            for variable, m, v, gradient in slots:
                tf.raw_ops.ResourceApplyAdam(  # one kernel, where keras.optimizers.Adam has ten
                    var=variable.handle, m=m.handle, v=v.handle, grad=gradient, lr=rates[step],
                    beta1=0.9, beta2=0.999, beta1_power=0.9**done, beta2_power=0.999**done, epsilon=1e-7,
                )  # fmt: skip
        return model(judged, training=False)

    right = {"validation": [], "test": []}
    for seed in range(TRAININGS):
        keras.utils.set_random_seed(seed)
        model.set_weights(keras.models.clone_model(model).get_weights())
        for moment in itertools.chain(*moments):
            moment.assign(tf.zeros_like(moment))
        rng = np.random.default_rng(seed)
        order = [rng.permutation(len(y))[: len(y) // BATCH * BATCH] for _ in range(EPOCHS)]
        said = np.argmax(fit(tf.constant(np.reshape(order, (steps, BATCH)))), axis=-1)
        right["validation"].append(float(np.mean(said[:HELD_BACK] == held_back[1])))
        right["test"].append(float(np.mean(said[HELD_BACK:] == test[1])))
    return right


class LooksUp:
    """A trainer that has every result already.

    Args:
        results: Name of an architecture -> row of the table.
        log: File that gets a line for each candidate of this search.
    """

    def __init__(self, results, log):
        self.results, self.log = results, log

    def __call__(self, model, train, validation, report):
        """Returns the mean accuracy on the examples held back."""
        name = architecture(model)
        validation, test = (float(np.mean(self.results[name][part])) for part in ("validation", "test"))
        _write_line(self.log, {"name": name, "validation": validation, "test": test})
        return validation


def run(given):
    """Runs all searches that are not done."""
    import keras_shrink as ks
    from keras_shrink import search

    end = time.time() + 60 * given.minutes
    results = {row["name"]: row for row in _lines(Path(given.folder) / "table.jsonl")}
    train, held_back, _ = data()
    limits = search.Limits(**LIMITS)
    for strategy, seed in itertools.product(given.strategies, given.seeds):
        folder = Path(given.folder) / f"{strategy}_{seed}"
        folder.mkdir(parents=True, exist_ok=True)
        log, took = folder / "log.jsonl", folder / "supernet_seconds"
        if len(_lines(log)) >= TRIALS:
            continue
        if time.time() > end:
            sys.exit(75)
        chosen = strategy
        if strategy == "gradient":
            began = time.process_time()
            chosen = search.Gradient(seed=seed)
            chosen.prepare(space, train, limits, folder)
            if not took.exists():
                took.write_text(str(time.process_time() - began))
        ks.search_architecture(
            space, train, held_back, folder=folder, limits=limits, strategy=chosen, trials=TRIALS,
            trainer=LooksUp(results, log), seed=seed,
        )  # fmt: skip
        print(strategy, seed, round(max(row["validation"] for row in _lines(log)), 4), flush=True)


def curves(folder, seeds):
    """Returns strategy -> array `(seeds, trials)`: test accuracy of the candidate that was best so far."""
    found = {}
    for strategy in STRATEGIES:
        logs = [_lines(folder / f"{strategy}_{seed}" / "log.jsonl")[:TRIALS] for seed in seeds]
        if min(map(len, logs)) < TRIALS:
            continue
        rows = []
        for log in logs:
            scores = [row["validation"] for row in log]
            rows.append([100 * log[int(np.argmax(scores[:i]))]["test"] for i in range(1, TRIALS + 1)])
        found[strategy] = np.array(rows)
    return found


def plot(given):
    """Draws the curves, and prints how they end."""
    from matplotlib.figure import Figure

    folder = Path(given.folder)
    table = _lines(folder / "table.jsonl")
    scores, tests = (100 * np.array([np.mean(row[part]) for row in table]) for part in ("validation", "test"))
    spread = np.percentile(tests, [0, 10, 50, 90, 100])
    print(f"{len(table)} candidates, test accuracy at 0, 10, 50, 90, 100 %: {np.round(spread, 1)}")
    print(f"the one of the best score: {tests[np.argmax(scores)]:.2f}")
    figure = Figure(figsize=(7, 4), layout="constrained")
    axis = figure.subplots()
    found = curves(folder, given.seeds)
    trials = np.arange(1, TRIALS + 1)
    for strategy, rows in found.items():
        mean, error = rows.mean(0), rows.std(0, ddof=1) / np.sqrt(len(rows))
        (line,) = axis.plot(trials, mean, label=strategy)
        axis.fill_between(trials, mean - error, mean + error, color=line.get_color(), alpha=0.15, lw=0)
        gain = rows[:, -1] - found["random"][:, -1]
        print(
            f"{strategy:>14}  {mean[-1]:.2f} +- {error[-1]:.2f}  over random {gain.mean():+.2f}  "
            f"{' '.join(f'{value:.2f}' for value in rows[:, -1])}"
        )
    axis.axhline(tests[np.argmax(scores)], color="gray", lw=1, ls=":", label="best of the table")
    candidate = np.mean([row["seconds"] for row in table])
    paths = [folder / f"gradient_{seed}" / "supernet_seconds" for seed in given.seeds]
    supernets = [float(path.read_text()) for path in paths if path.exists()]
    print(f"a candidate takes {candidate:.1f} s, a supernet {np.round(supernets, 1).tolist()} s of one core")
    axis.set(xlabel="candidates trained", ylabel="test accuracy of the best so far, %", ylim=(80, None))
    axis.legend()
    figure.savefig(given.out, metadata={"Date": None})


def _lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _write_line(path, row):
    with path.open("a") as file:
        file.write(json.dumps(row) + "\n")


def main():
    """Trains the table, searches or plots."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stage", choices=["table", "run", "plot"])
    parser.add_argument("--folder", required=True)
    parser.add_argument("--strategies", nargs="+", default=STRATEGIES, choices=STRATEGIES)
    parser.add_argument("--seeds", nargs="+", type=int, default=range(5))
    parser.add_argument("--minutes", type=float, default=1e6)
    parser.add_argument("--out", default="docs/images/search_strategies.svg")
    given = parser.parse_args()
    Path(given.folder).mkdir(parents=True, exist_ok=True)
    {"table": table, "run": run, "plot": plot}[given.stage](given)


if __name__ == "__main__":
    main()
