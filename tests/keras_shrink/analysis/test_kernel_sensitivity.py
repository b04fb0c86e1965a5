"""How much each layer can take."""

import keras
import numpy as np
import pytest
from keras import layers
from matplotlib.figure import Figure

import keras_shrink as ks
from keras_shrink.analysis import sensitivity
from keras_shrink.analysis.perturbations import TECHNIQUES


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    inner = keras.Sequential([keras.Input((16,)), layers.Dense(16, name="deep")], name="inner")
    return keras.Sequential(
        [
            keras.Input((8, 1)),
            layers.Conv1D(4, 3, padding="same", activation="relu", name="conv"),
            layers.Flatten(),
            layers.Dense(16, activation="relu", name="fc"),
            inner,
            layers.Dense(3, activation="softmax", name="scores"),
        ]
    )


@pytest.fixture(scope="module")
def data(model):
    x = np.random.default_rng(0).normal(size=(300, 8, 1)).astype("float32")
    return x, keras.ops.convert_to_numpy(model(x)).argmax(axis=-1)


@pytest.mark.parametrize("technique", TECHNIQUES)
def test_every_technique_measures_every_kernel_and_amount(model, data, technique):
    before = [weight.numpy().copy() for weight in model.weights]
    report = sensitivity(model, data, technique)
    assert list(report.scores) == ["conv", "fc", "inner/deep", "scores"]
    assert {len(scores) for scores in report.scores.values()} == {len(report.amounts)}
    assert report.baseline == 1.0
    mean = np.mean(list(report.scores.values()), axis=0)
    assert mean[0] > mean[-1]  # amounts by default go from weak to strong
    assert mean[-1] < 1.0
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)


def test_a_score_is_that_of_the_model_with_only_this_kernel_treated(model, data):
    report = sensitivity(model, data, amounts=(0.5,), layers=model.get_layer("fc"))
    pruned = ks.prune(model, 0.5, layers=model.get_layer("fc"))
    expected = np.mean(keras.ops.convert_to_numpy(pruned(data[0])).argmax(axis=-1) == data[1])
    assert report.scores == {"fc": (pytest.approx(expected),)}


def test_layers_in_nested_models_can_be_chosen(model, data):
    report = sensitivity(model, data, amounts=(0.5,), layers=ks.select.by_name("inner"))
    assert list(report.scores) == ["inner/deep"]


def test_a_function_of_ones_own_is_a_technique(model, data):
    def shrink(kernel, output_axis, amount):
        return kernel * amount

    report = sensitivity(model, data, shrink, (1.0, 0.0))
    assert report.technique == "shrink"
    assert {scores[0] for scores in report.scores.values()} == {1.0}


def test_the_allocation_takes_the_strongest_amount_that_is_cheap_enough(model, data):
    report = sensitivity(model, data, amounts=(0.1, 0.3, 0.99))
    allocation = report.allocation(0.1)
    by_name = {predicate.description: amount for predicate, amount in allocation.items()}
    for name, scores in report.scores.items():
        fine = [a for a, s in zip(report.amounts, scores, strict=True) if s >= 0.9]
        assert by_name.get(f"by_name({name.split('/')[-1]!r})") == (max(fine) if fine else None)
    assert ks.sparsity_report(ks.prune(model, allocation)).zeros > 0


def test_fewer_bits_are_stronger(model, data):
    report = sensitivity(model, data, "quantize", (8, 2))
    assert max(report.allocation(1.0).values()) == 2


def test_an_allocation_that_takes_nothing_is_an_error(model, data):
    report = sensitivity(model, data, lambda kernel, axis, amount: -kernel, (1.0,))
    with pytest.raises(ValueError, match="No layer takes any of the amounts"):
        report.allocation(-1.0)


def test_results_are_kept_and_not_computed_again(model, data, tmp_path):
    path = tmp_path / "scores.jsonl"
    first = sensitivity(model, data, amounts=(0.5, 0.9), results=path)
    lines = path.read_text().splitlines()
    assert len(lines) == 1 + 4 * 2
    path.write_text("\n".join(lines[:5]) + '\n{"of": "cut')

    calls = []

    def counted(labels, outputs):
        calls.append(1)
        return np.mean(outputs.argmax(axis=-1) == labels)

    counted.__name__ = "accuracy"
    second = sensitivity(model, data, amounts=(0.5, 0.9), results=path, metric=counted)
    assert len(calls) == 4
    assert second.scores == first.scores


def test_results_of_another_model_are_refused(model, data, tmp_path):
    path = tmp_path / "scores.jsonl"
    sensitivity(model, data, amounts=(0.5,), results=path)
    with pytest.raises(ValueError, match="another model, data, technique or metric"):
        sensitivity(model, data, "quantize", results=path)


def test_the_table_and_the_plot_name_every_kernel(model, data):
    report = sensitivity(model, data, amounts=(0.5, 0.9))
    axes = report.plot(Figure().subplots())
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    for name in report.scores:
        assert name in str(report)
        assert name in legend
    assert str(report).splitlines()[3].startswith(report.ranked()[0])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"technique": "magic"}, "technique must be one of prune, quantize"),
        ({"amounts": ()}, "amounts must hold at least one amount"),
        ({"amounts": (80,)}, r"amounts of prune are the fraction of zeros, in \[0, 1\]. Received: 80"),
        ({"layers": ks.select.by_name("none")}, "No layer was chosen"),
        ({"metric": "f1"}, "metric must be 'accuracy' or a function"),
    ],
)
def test_bad_arguments_are_named(model, data, settings, message):
    with pytest.raises(ValueError, match=message):
        sensitivity(model, data, **settings)
