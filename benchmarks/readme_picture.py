"""Draws docs/images/c_costs.svg: what one inference costs on a Cortex-M4, from the table in RESULTS.md.

python benchmarks/readme_picture.py
"""

import re
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).resolve().parent.parent
HEADING = "## Standalone C on emulated cores: instructions, RAM, flash"
PANELS = ("instructions, millions", "static RAM, KB", "linked flash, KB")
UNITS = {"M": 1.0, "": 1e-3}  # millions as they are, bytes as thousands
COLORS = ("#b8bec6", "#2f6f8f")


def rows(text, core):
    """Returns network -> for each panel, (standalone C, TFLM with CMSIS-NN)."""
    section = text.split(HEADING)[1].split("\n## ")[0]
    found = {}
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0] == core:
            found[cells[1]] = [_pair(cell) for cell in cells[2:5]]
    return found


def _pair(cell):
    numbers = re.findall(r"([\d.,]+)(?: (M))?", cell)
    return tuple(float(number.replace(",", "")) * UNITS[unit] for number, unit in numbers)


def draw(found, path):
    """Writes the picture: a panel for each cost, two bars for each network, shorter is better."""
    plt.rcParams.update({"svg.hashsalt": "keras_shrink", "font.size": 9, "svg.fonttype": "none"})
    figure, axes = plt.subplots(1, len(PANELS), figsize=(9, 2.6), layout="constrained")
    names = [*found][::-1]
    for panel, axis in enumerate(axes):
        for place, name in enumerate(names):
            ours, theirs = found[name][panel]
            for offset, value, color in ((0.2, theirs, COLORS[0]), (-0.2, ours, COLORS[1])):
                axis.barh(place + offset, value, 0.38, color=color)
                axis.annotate(f"{value:.3g}", (value, place + offset), (3, 0), va="center", fontsize=8,
                              textcoords="offset points")  # fmt: skip
        axis.set_title(PANELS[panel], fontsize=9)
        axis.set_yticks(range(len(names)), names if panel == 0 else [""] * len(names))
        axis.set_xlim(0, 1.15 * max(found[name][panel][1] for name in names))
        axis.set_xticks([])
        axis.spines[["top", "right", "bottom"]].set_visible(False)
    handles = [plt.Rectangle((0, 0), 1, 1, color=color) for color in COLORS]
    kinds = ["TFLM with CMSIS-NN", "standalone C"]
    figure.legend(handles, kinds, loc="outside lower center", ncols=2, frameon=False)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    text = (ROOT / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8")
    draw(rows(text, "Cortex-M4"), ROOT / "docs" / "images" / "c_costs.svg")
