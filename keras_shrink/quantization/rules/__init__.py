"""What quantization knows of each layer class.

`role(layer)` is a `functools.singledispatch`: register a function for your own layer class to teach
it, `role.register(MyLayer, lambda layer: Role(...))`.
"""

# Importing a module registers its rules.
from keras_shrink.quantization.rules import (  # noqa: F401
    activations,
    attention,
    linear,
    merges,
    normalization,
    operations,
    recurrent,
    refused,
    shapes,
)
from keras_shrink.quantization.rules.roles import Role, activation_name, role

__all__ = ["Role", "activation_name", "role"]
