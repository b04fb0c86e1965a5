"""`keras-shrink profile`: what a model costs on an emulated core."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import typer


def profile_file(model, cpu, toolchain, optimize, as_json):
    """Prints the profile of a `.tflite` or of a folder with its C; returns whether no output was wrong.

    Args:
        model: Path.
        cpu: Name of the core.
        toolchain: `"zig"` or `"gcc"`.
        optimize: The compiler's optimization flag.
        as_json: Print JSON instead of the table.

    Example:
    >>> from keras_shrink.profile_command import profile_file
    >>> profile_file("kws.tflite", "cortex-m4", "zig", "-Os", False)  # doctest: +SKIP
    """
    from tflite_export.emulation.profile import emulate

    if not Path(model).exists():
        raise FileNotFoundError(f"There is no file or folder {model}.")
    profile = emulate(model, cpu, toolchain=toolchain, optimize=optimize)
    if as_json:
        fields = {
            f.name: getattr(profile, f.name)
            for f in dataclasses.fields(profile)
            if f.name not in ("outputs", "operators")
        }
        fields["flash_bytes"] = profile.flash_bytes
        fields["operators"] = [dataclasses.asdict(op) for op in profile.operators]
        typer.echo(json.dumps(fields, indent=2))
    else:
        typer.echo(str(profile))
    return profile.matches is not False
