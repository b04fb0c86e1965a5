"""The page on a compressed model: what it says equals where it comes from, and it needs nothing else."""

import dataclasses
import hashlib
import json
import re
from html import escape
from html.parser import HTMLParser

import keras
import numpy as np
import pytest
from typer.testing import CliRunner

import keras_shrink as ks
import tflite_export as te
from keras_shrink import analysis, scoring
from keras_shrink.cli import app
from keras_shrink.report_command import load_steps, load_test
from keras_shrink.shrinking.record import StepRecord
from tests.keras_shrink.networks import pictures

STEPS = (
    StepRecord("start", None, True, 0.9, 31_800, 6_200, 2_100_000, 0.4, "the model as given"),
    StepRecord("prune_channels", 0.5, False, 0.31, 14_100, 3_300, 800_000, 28.9, "loses <b>too much</b>"),
    StepRecord("prune", 0.6, True, 0.875, 18_200, 5_100, None, 40.1, "enough"),
)


CLASSES = ("<i>cat</i>", "dog", "a name that is much longer than its place", "eel", "fox")


class Page(HTMLParser):
    """Text, tags and attributes of a page; fails on tags that do not match."""

    void = ("meta", "line", "rect", "circle", "path", "polyline", "br")

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.open, self.attributes = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.void:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip() and self.open[-1] != "style":
            self.text.append(data.strip())


@pytest.fixture(scope="module")
def classes():
    """A pruned network of classes, its int8 form, its file and labelled pictures."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3), name="picture"),
            layers.Conv2D(6, 3, name="stem"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(name="relu"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(5, activation="softmax", name="scores"),
        ]
    )
    x = pictures(120)
    y = model.predict(x, verbose=0).argmax(axis=1)
    y[::9] = (y[::9] + 1) % 5
    final = ks.calibrate(ks.prune(model, 0.3), x)
    return model, final, te.TFLiteModel(te.slim(te.convert(final))), (x, y)


@pytest.fixture(scope="module")
def made(classes, tmp_path_factory):
    model, final, tflite, data = classes
    path = tflite.save(tmp_path_factory.mktemp("out") / "model & more.tflite")
    budget = type("Budget", (), {"flash": 20_000, "ram": None, "instructions": None})()
    given = {"tflite": tflite, "files": [path], "budget": budget, "classes": CLASSES}
    return ks.report(model, final, data, steps=STEPS, **given)


@pytest.fixture(scope="module")
def html(made):
    return made.to_html("Digits & <letters>")


def test_it_needs_no_other_file_and_no_network(html):
    page = Page(html)
    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
    assert not re.search(r"https?:|//[a-z]|url\(|@import", html)
    links = {value for name, value in page.attributes if name in ("href", "src")}
    sections = {value for name, value in page.attributes if name == "id"}
    assert links == {f"#{section}" for section in sections}
    assert sections == {"done", "curve", "layers", "outcomes", "memory", "flash"}


def test_names_cannot_become_markup(html):
    page = Page(html)
    assert "Digits &amp; &lt;letters&gt;" in html
    assert "letters" not in page.tags
    assert "&lt;i&gt;cat&lt;/i&gt; taken for" in html
    assert "loses <b>too much</b>" in page.text
    assert "<i>cat</i>" in page.text
    assert any("model & more.tflite" in text for text in page.text)


def test_scores_are_those_of_both_models(classes, made, html):
    model, _, tflite, data = classes
    assert made.score == (scoring.keras_score(model, data), scoring.device_score(tflite, data))
    for value in made.score:
        assert f"{value:.2%}" in html


def test_sizes_are_those_of_the_files(classes, made, html):
    facts = te.summary(classes[2])
    sizes = {name: (before, after) for name, before, after in made.sizes()}
    assert sizes[".tflite bytes"][1] == len(classes[2].bytes) == facts.file_bytes
    assert sizes["of them not zero"][1] == facts.nonzeros
    assert sizes["multiply-accumulates"][0] == sizes["multiply-accumulates"][1] == facts.macs
    for before, after in sizes.values():
        assert f"{before:,}" in html
        assert f"{after:,}" in html


def test_every_step_is_there_with_its_change(html):
    page = Page(html)
    for step in STEPS:
        assert step.name in page.text
        assert f"{step.flash_bytes:,}" in page.text
        assert f"{step.accuracy:.2%}" in page.text
        assert step.reason in page.text
    assert page.text.count("undone") == 1
    assert "-2.50 points" in page.text  # of the last step, against the start: the one between was undone
    assert f"{18_200 / 31_800 - 1:+.0%}" in page.text


def test_the_curves_have_a_point_for_each_step(html):
    charts = re.findall(r'<svg[^>]*aria-label="accuracy against (.*?)".*?</svg>', html, flags=re.S)
    assert charts == ["flash", "RAM", "instructions"]
    drawn = re.findall(r"<circle|class=\"other\" d=", html)
    assert len(drawn) == 3 + 3 + 2  # the instructions of one step are not known
    assert html.count('class="limit"') == 1


def test_layers_have_the_zeros_of_the_file_and_the_error_of_the_analysis(classes, made, html):
    _, final, tflite, (x, _) = classes
    in_file = [
        t.data
        for t in tflite.graph.main.tensors
        if t.data is not None and t.data.ndim > 1 and t.dtype == "int8"
    ]
    kernels = [layer for layer in made.layers if layer.weights]
    assert sum(layer.zeros for layer in kernels) == sum(int(np.sum(values == 0)) for values in in_file)
    assert sum(layer.weights for layer in kernels) == sum(values.size for values in in_file)
    assert {layer.bits for layer in kernels} == {8}
    expected = {layer.name: layer.sqnr_db for layer in analysis.quantization_error(final, x[:128]).layers}
    assert {layer.name: layer.error.sqnr_db for layer in made.layers if layer.error} == pytest.approx(
        expected
    )
    for value in expected.values():
        assert f">{value:.1f}<" in html


def test_widths_of_few_bits_are_those_of_the_layers():
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(8, name="a"), keras.layers.Dense(3, name="b")]
    )
    x = np.random.default_rng(0).normal(size=(40, 4)).astype("float32")
    final = ks.calibrate(model, x, ks.Int8(weight_bits=4), overrides={ks.select.by_name("b"): ks.Int8()})
    made = ks.report(model, final, (x, np.arange(40) % 3))
    assert {layer.name: layer.bits for layer in made.layers if layer.weights} == {"a": 4, "b": 8}


def test_both_confusion_matrices_are_drawn(made, html):
    (found,) = made.outcomes
    drawn = re.findall(r'aria-label="confusion matrix, (\w+) model">(.*?)</svg>', html, flags=re.S)
    assert [name for name, _ in drawn] == ["original", "final"]
    for (_, svg), counts in zip(drawn, (found.before, found.after), strict=True):
        cells = {(a, b): int(n) for a, b, n in re.findall(r"<title>(.*?) taken for (.*?): (\d+)<", svg)}
        assert cells == {
            (escape(CLASSES[i]), escape(CLASSES[j])): counts[i, j] for i, j in np.argwhere(counts)
        }


def test_both_memory_plans_are_drawn_with_every_tensor(made, html):
    drawn = re.findall(r'aria-label="memory plan">(.*?)</svg>', html, flags=re.S)
    assert [svg.count("<rect ") for svg in drawn] == [len(made.after.lifetimes), len(made.c_arena)]
    assert made.c_arena_bytes >= max(t.offset + t.size_bytes for t in made.c_arena)
    assert f"TensorFlow Lite Micro: {made.after.plan_bytes:,} bytes" in html
    assert f"Standalone C: {made.c_arena_bytes:,} bytes" in html


def test_what_to_flash_is_that_very_file(classes, made, html):
    content = classes[2].bytes
    assert hashlib.sha256(content).hexdigest() in html
    assert "keras-shrink c model &amp; more.tflite" in html
    page = Page(html)
    assert f"{len(content):,}" in page.text
    assert {check.device.title for check in made.boards} <= set(page.text)
    (tensor,) = classes[2].graph.inputs
    assert f"{tensor.quantization.scale[0]:.8g}" in page.text


def test_files_alone_do_and_steps_may_be_missing(classes):
    _, _, tflite, data = classes
    made = ks.report(tflite, tflite.bytes, data, metric=lambda labels, outputs: float(outputs.max()))
    assert made.score[0] == made.score[1]
    assert made.sqnr_db is None
    assert [layer.kind for layer in made.layers] == ["CONV_2D", "FULLY_CONNECTED"]
    page = Page(made.to_html())
    assert "keras-shrink c model.tflite -o c\n" in made.to_html()
    assert "keras-shrink c model.tflite -o c --strips 2\n" in dataclasses.replace(made, strips=2).to_html()
    assert "No steps were recorded; what follows compares the original and the final model." in page.text
    assert page.text.count("<lambda>") >= 1


def test_several_inputs_outputs_numbers_and_many_classes():
    keras.utils.set_random_seed(0)
    left, right = keras.Input((6,), name="left"), keras.Input((4,), name="right")
    hidden = keras.layers.Dense(8, activation="relu", name="hidden")(
        keras.layers.Concatenate()([left, right])
    )
    outputs = [
        keras.layers.Dense(1, name="speed")(hidden),
        keras.layers.Dense(30, activation="softmax", name="kind")(hidden),
    ]
    model = keras.Model([left, right], outputs)
    generator = np.random.default_rng(0)
    inputs = {"left": generator.normal(size=(90, 6)), "right": generator.normal(size=(90, 4))}
    labels = {"speed": generator.normal(size=90), "kind": np.arange(90) % 30}
    made = ks.report(model, model, (inputs, labels))
    assert made.metric == "explained variance"
    speed, kind = made.outcomes
    assert speed.explained == made.score
    assert kind.before.sum() == 90
    html = made.to_html()
    page = Page(html)
    assert "Most frequent mistakes of the final model" in page.text
    assert f"{speed.root_mean_square[1]:.5g}" in page.text
    assert html.count('<circle class="dot"') == 90
    many = dataclasses.replace(
        kind, classes=tuple(map(str, range(150))), before=np.eye(150, dtype=int), after=np.eye(150, dtype=int)
    )
    text = Page(dataclasses.replace(made, outcomes=(many,)).to_html()).text
    assert any("150 classes are too many to draw" in line for line in text)


def test_wrong_data_is_refused(classes):
    model, _, tflite, (x, _) = classes
    with pytest.raises(ValueError, match=r"pair \(inputs, labels\). Received: ndarray"):
        ks.report(model, tflite, x)
    with pytest.raises(ValueError, match="no labels for any of the outputs"):
        ks.report(model, tflite, (x, {}))


def test_the_command_writes_the_page(classes, tmp_path):
    model, _, tflite, (x, y) = classes
    model.save(tmp_path / "before.keras")
    tflite.save(tmp_path / "after.tflite")
    np.savez(tmp_path / "data.npz", x=x, y=y)
    lines = [{"of": {"seed": 0}}, *map(dataclasses.asdict, STEPS)]
    (tmp_path / "steps.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    arguments = [
        "report",
        f"{tmp_path}/before.keras",
        f"{tmp_path}/after.tflite",
        "--data",
        f"{tmp_path}/data.npz",
    ]
    arguments += ["-o", f"{tmp_path}/out/page.html", "--steps", f"{tmp_path}/steps.jsonl"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    html = (tmp_path / "out" / "page.html").read_text(encoding="utf-8")
    assert "<h1>after, from before</h1>" in html
    assert "loses &lt;b&gt;too much&lt;/b&gt;" in html
    assert f"{len(tflite.bytes):,}" in result.output


def test_files_of_the_command_are_checked(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        load_test(tmp_path / "none.npz")
    np.savez(tmp_path / "odd.npz", inputs=np.zeros(3))
    with pytest.raises(ValueError, match=r"must hold x_test and y_test, or x and y. Received: \['inputs'\]"):
        load_test(tmp_path / "odd.npz")
    with pytest.raises(FileNotFoundError, match="no such file"):
        load_steps(tmp_path / "none.jsonl")
    (tmp_path / "steps.jsonl").write_text('{"name": "prune"}\n')
    with pytest.raises(ValueError, match="not a record of shrink. Received: line 1"):
        load_steps(tmp_path / "steps.jsonl")
