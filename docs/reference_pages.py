"""MkDocs hook: writes the reference, a page for each part of the packages, and takes the results along.

Names are read from the sources, not imported: what `__init__.py` offers is what the reference has.
"""

import ast
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parent.parent
TITLES = {
    "shrinking": "The whole way",
    "pruning": "Pruning",
    "schedules": "Schedules",
    "select": "Choosing layers",
    "quantization": "Quantization",
    "simulation": "Simulation",
    "clustering": "Clustering",
    "distillation": "Distillation",
    "channels": "Channels",
    "factorization": "Factorization",
    "architecture": "Architecture",
    "zoo": "Zoo",
    "search": "Search",
    "analysis": "Analysis",
    "tflite_export": "tflite_export",
}  # page -> its title, in the order of the navigation


def public_names(module):
    """Returns public name -> path of its definition, for a package or a module of functions."""
    path = ROOT.joinpath(*module.split("."))
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    tree = ast.parse(source.read_text(encoding="utf-8"))
    if not path.is_dir():
        kinds = (ast.FunctionDef, ast.ClassDef)
        return {
            node.name: f"{module}.{node.name}"
            for node in tree.body
            if isinstance(node, kinds) and not node.name.startswith("_") and ast.get_docstring(node)
        }
    tables, imported = _tables(tree), {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            imported |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    offered = {name: imported[name] for name in tables.get("__all__", []) if name in imported}
    return offered | {name: f"{module}.{home}.{name}" for name, home in tables.get("_HOMES", {}).items()}


def _tables(tree):
    """Returns the literals assigned to names in a module."""
    tables = {}
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            try:
                tables[target.id] = ast.literal_eval(node.value)
            except ValueError:  # not a literal
                continue
    return tables


def pages():
    """Returns page -> list of (name as users write it, path of its definition)."""
    found = {page: [] for page in TITLES}
    for name, path in public_names("keras_shrink").items():
        room = path.split(".")[1]
        found[room if room in TITLES else "shrinking"].append((f"ks.{name}", path))
    modules = _tables(ast.parse((ROOT / "keras_shrink/__init__.py").read_text(encoding="utf-8")))["_MODULES"]
    for module in modules:
        known = {path for _, path in found.setdefault(module, [])}
        names = public_names(f"keras_shrink.{module}")
        found[module] += [(f"ks.{module}.{name}", path) for name, path in names.items() if path not in known]
    names = public_names("keras_shrink.search.spaces")
    found["search"] += [(f"ks.search.spaces.{name}", path) for name, path in names.items()]
    found["tflite_export"] = [(f"te.{name}", path) for name, path in public_names("tflite_export").items()]
    return found


def title(page):
    """Returns what a page of the reference is called."""
    return TITLES.get(page, page.capitalize())


def page_text(page, names):
    """Returns the Markdown of a page of the reference."""
    parts = [f"# {title(page)}"]
    for name, path in names:
        parts.append(f"::: {path}\n    options:\n      heading: {name}\n      toc_label: {name}")
    return "\n\n".join(parts) + "\n"


def index_text(found):
    """Returns the Markdown of the list of all names."""
    lines = ["# Reference", "", "`import keras_shrink as ks`, `import tflite_export as te`.", ""]
    for page, names in found.items():
        links = ", ".join(f"[`{name}`][{path}]" for name, path in names)
        lines.append(f"- [{title(page)}]({page}.md): {links}")
    return "\n".join(lines) + "\n"


def _named(entries):
    """Yields the pages that a part of the navigation names."""
    for entry in entries:
        for target in entry.values() if isinstance(entry, dict) else [entry]:
            yield from _named(target) if isinstance(target, list) else [target]


def on_config(config):
    """Puts pages that the navigation forgot, and the reference, behind the others."""
    known = set(_named(config.nav))
    forgotten = [page.name for page in sorted((ROOT / "docs").glob("*.md")) if page.name not in known]
    config.nav += [{"More": forgotten}] if forgotten else []
    entries = [{"All names": "reference/index.md"}]
    entries += [{title(page): f"reference/{page}.md"} for page in pages()]
    config.nav.append({"Reference": entries})
    return config


def on_files(files, config):
    """Adds the pages of the reference and `benchmarks/RESULTS.md`."""
    found = pages()
    texts = {f"reference/{page}.md": page_text(page, names) for page, names in found.items()}
    texts["reference/index.md"] = index_text(found)
    texts["results.md"] = (ROOT / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8")
    for uri, text in texts.items():
        files.append(File.generated(config, uri, content=text))
    return files
