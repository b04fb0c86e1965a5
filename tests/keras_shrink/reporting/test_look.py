"""The page in a browser: at the width of a phone and of a desk, in light and in dark."""

import html
import json
import re
import shutil
import subprocess

import keras
import matplotlib.image
import numpy as np
import pytest

import keras_shrink as ks
from keras_shrink.shrinking.record import StepRecord

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="there is no Chromium here (apt-get install chromium)"
)

# A window is never narrower than 500 pixels, a frame may be.
FRAME = """<!DOCTYPE html><style>:root { color-scheme: light dark; } body { margin: 0; }
iframe { border: 0; width: WIDTHpx; height: 1000px; display: block; }</style>
<body><iframe srcdoc="PAGE"></iframe></body>"""
SCHEMES = {"dark": 0, "light": 1, "print": 0}  # on paper it is light even for a reader of dark pages
SIZES = [*((w, s) for w in (360, 1400) for s in ("dark", "light")), (720, "print")]
MEASURE = """<script>
const broad = [...document.querySelectorAll("body *")].filter(e => !e.closest(".scroll, pre")
  && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.tagName);
const letters = [...document.querySelectorAll("svg text")].map(t => {
  const svg = t.ownerSVGElement;
  const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
  return parseFloat(getComputedStyle(t).fontSize) * scale;
});
const outside = [...document.querySelectorAll("svg text")].filter(t => {
  const a = t.getBoundingClientRect(), b = t.ownerSVGElement.getBoundingClientRect();
  return a.left < b.left - 1 || a.right > b.right + 1 || a.top < b.top - 1 || a.bottom > b.bottom + 1;
}).map(t => t.textContent);
const figures = [...document.querySelectorAll("figure")];
const columns = new Set(figures.map(f => f.getBoundingClientRect().left)).size;
parent.document.body.dataset.seen = JSON.stringify({
  width: innerWidth, scroll: document.documentElement.scrollWidth, broad, outside, columns,
  smallest: Math.min(...letters), ink: getComputedStyle(document.body).color,
});
</script></body>"""


@pytest.fixture(scope="module")
def page():
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((12, 12, 1), name="picture"),
            layers.Conv2D(8, 3, activation="relu", name="a_layer_with_a_rather_long_name_for_a_narrow_page"),
            layers.Conv2D(8, 3, activation="relu", name="second"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(10, activation="softmax", name="scores"),
        ]
    )
    x = np.random.default_rng(0).normal(size=(200, 12, 12, 1)).astype("float32")
    steps = [
        StepRecord("start", None, True, 0.971, 318_144, 61_440, 17_570_000, 0.4, "the model as it was given"),
        StepRecord("prune_channels", 0.5, False, 0.31, 90_112, 20_480, 4_100_000, 28.9, "loses 66 points"),
        StepRecord(
            "prune_channels",
            0.25,
            True,
            0.9685,
            180_224,
            40_960,
            9_800_000,
            3600.0,
            "within the drop allowed",
        ),
    ]
    classes = ["yes", "no", "up", "down", "left", "right", "silence and noise", "go", "stop", "unknown words"]
    data = x, np.arange(200) % 10
    budget = type("Budget", (), {"flash": 200_000, "ram": 50_000, "instructions": 12_000_000})
    return ks.report(model, model, data, steps=steps, classes=classes, budget=budget).to_html("Words")


@pytest.fixture(scope="module", params=SIZES, ids=lambda size: f"{size[0]} {size[1]}")
def shown(request, page, tmp_path_factory):
    width, scheme = request.param
    folder = tmp_path_factory.mktemp("look")
    inner = page.replace("</body>", MEASURE)
    if scheme == "print":  # nothing scrolls on paper
        inner = inner.replace("@media print", "@media all").replace('!e.closest(".scroll, pre")', "true")
    inner = html.escape(inner)
    text = FRAME.replace("WIDTH", str(width)).replace("PAGE", inner)
    (folder / "page.html").write_text(text, encoding="utf-8")
    command = [
        CHROMIUM,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        f"--user-data-dir={folder}/profile",
        f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}",
        "--window-size=1400,1000",
        f"--screenshot={folder}/page.png",
        "--dump-dom",
        (folder / "page.html").as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    seen = json.loads(html.unescape(re.search(r'data-seen="(.*?)"', done.stdout)[1]))
    return width, scheme, seen, matplotlib.image.imread(folder / "page.png")[:, :width, :3]


def test_nothing_sticks_out_and_everything_can_be_read(shown):
    width, scheme, seen, _ = shown
    assert seen["width"] == width
    assert seen["scroll"] <= width
    assert seen["broad"] == []
    assert seen["outside"] == []
    assert seen["smallest"] >= (7 if scheme == "print" else 8.5)  # paper is finer


def test_it_follows_the_scheme_of_the_reader(shown):
    _, scheme, seen, picture = shown
    paper = picture[-1, 0]
    ink = np.array(re.findall(r"\d+", seen["ink"])[:3], float) / 255
    assert paper.mean() < 0.2 if scheme == "dark" else paper.mean() > 0.9
    assert _contrast(paper, ink) > 7
    assert len(np.unique(np.round(picture.reshape(-1, 3), 1), axis=0)) > 8


def test_charts_stand_side_by_side_where_there_is_room(shown):
    width, _, seen, _ = shown
    assert seen["columns"] == 1 if width == 360 else seen["columns"] >= (3 if width == 1400 else 2)


def _contrast(one, other):
    """Contrast of two colours as accessibility guidelines define it."""
    light = []
    for colour in (one, other):
        linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
        light.append(float(linear @ [0.2126, 0.7152, 0.0722]))
    return (max(light) + 0.05) / (min(light) + 0.05)
