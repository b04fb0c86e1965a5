"""A SavedModel folder as something `convert` can trace: one input after the other, batch 1."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tflite_export.samples import InputSpec

_SIGNATURE = "serving_default"


@dataclass(frozen=True)
class SavedModel:
    """A loaded SavedModel.

    Attributes:
        specs: Its inputs, in the order of their names.
        outputs: Names of its outputs, in the order in which `call` returns them.
        signature: The loaded function.
        owner: Keeps the variables alive.
    """

    specs: tuple[InputSpec, ...]
    outputs: tuple[str, ...]
    signature: Any
    owner: Any

    def call(self, *inputs):
        """Returns the outputs as a flat list."""
        named = {spec.name: value for spec, value in zip(self.specs, inputs, strict=True)}
        results = self.signature(**named)
        return [results[name] for name in self.outputs]


def is_saved_model(path) -> bool:
    """Says whether a path is a folder with a SavedModel in it."""
    return Path(path, "saved_model.pb").is_file()


def load_saved_model(path) -> SavedModel:
    """Returns the model in a SavedModel folder, through its signature `serving_default`.

    Raises:
        ValueError: If the folder cannot be loaded or has no such signature.
    """
    import tensorflow as tf

    try:
        owner = tf.saved_model.load(str(path))
    except (OSError, ValueError, AttributeError) as error:
        raise ValueError(f"{str(path)!r} cannot be loaded as a SavedModel: {error}") from error
    if _SIGNATURE not in owner.signatures:
        raise ValueError(
            f"The SavedModel needs a signature {_SIGNATURE!r}. Received: signatures "
            f"{sorted(owner.signatures)}. Save it with model.export(...)."
        )
    signature = owner.signatures[_SIGNATURE]
    inputs = signature.structured_input_signature[1]
    specs = tuple(
        InputSpec(name, tuple(spec.shape), spec.dtype.name) for name, spec in sorted(inputs.items())
    )
    return SavedModel(specs, tuple(sorted(signature.structured_outputs)), signature, owner)
