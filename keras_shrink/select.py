"""Choosing layers, and finding the kernels inside them.

A predicate is a function `layer -> bool`. The ones made here combine with `&`, `|` and `~`, and they also
know about nesting: `by_name("encoder")` chooses every kernel inside the layer or model of that name, and
`~by_name("encoder")` leaves every one of them out. A plain function is asked only of the layer that owns
the kernel (a recurrent layer owns the kernels of its cell).
"""

import dataclasses
import fnmatch
import functools
from typing import Any


class Predicate:
    """A test of layers that combines with `&`, `|` and `~`.

    Args:
        test: Function `layer -> bool`.
        on_path: Function of a tuple of layers, outermost first, the owner of the kernel last; by default
            true where `test` holds for any of them.
        description: What `repr` shows.

    Example:
    >>> small = Predicate(lambda layer: layer.count_params() < 1000, description="small")
    >>> ~small
    ~small
    """

    def __init__(self, test, *, on_path=None, description="predicate"):
        self.test = test
        self.on_path = on_path or (lambda path: any(test(layer) for layer in path))
        self.description = description

    def __call__(self, layer):
        """Returns whether the layer itself passes the test."""
        return bool(self.test(layer))

    def __and__(self, other):
        return _combine(self, other, lambda a, b: a and b, "&")

    def __or__(self, other):
        return _combine(self, other, lambda a, b: a or b, "|")

    def __invert__(self):
        return Predicate(
            lambda layer: not self.test(layer),
            on_path=lambda path: not self.on_path(path),
            description=f"~{self.description}",
        )

    def __repr__(self):
        return self.description


def _combine(left, right, operator, sign):
    right = as_predicate(right)
    return Predicate(
        lambda layer: operator(left.test(layer), right.test(layer)),
        on_path=lambda path: operator(left.on_path(path), right.on_path(path)),
        description=f"({left} {sign} {right})",
    )


def as_predicate(choice):
    """Returns the predicate meant by a predicate, a plain function, a layer, or a list of layers.

    Args:
        choice: What a caller passed as `layers`.

    Raises:
        ValueError: If it is none of these.

    Example:
    >>> as_predicate(by_name("head"))
    by_name('head')
    """
    if isinstance(choice, Predicate):
        return choice
    if isinstance(choice, list | tuple | set) and choice and all(_is_layer(item) for item in choice):
        return by_layer(*choice)
    if _is_layer(choice):
        return by_layer(choice)
    if callable(choice) and not isinstance(choice, type):
        name = getattr(choice, "__name__", "predicate")
        return Predicate(choice, on_path=lambda path: choice(path[-1]), description=name)
    raise ValueError(
        "layers must be a function layer -> bool, a layer, or a list of layers. "
        f"Received: layers={choice!r}. To choose by name or class use select.by_name or select.by_class."
    )


def _is_layer(thing):
    return hasattr(thing, "_flatten_layers") and not isinstance(thing, type)


def by_layer(*layers):
    """Returns a predicate that is true of the given layers and of all that is inside them.

    Args:
        *layers: Layer objects.

    Example:
    >>> import keras
    >>> layer = keras.layers.Dense(2, name="head")
    >>> by_layer(layer)(layer), by_layer(layer)(keras.layers.Dense(2))
    (True, False)
    """
    identities = {id(layer) for layer in layers}
    names = ", ".join(layer.name for layer in layers)
    return Predicate(lambda layer: id(layer) in identities, description=f"by_layer({names})")


def first_and_last(model):
    """Returns a predicate that is true of the first and the last layer with a kernel of a model.

    These are the layers that compression usually hurts most; `~first_and_last(model)` leaves them out.

    Args:
        model: A built Keras model.

    Example:
    >>> import keras
    >>> dense = [keras.layers.Dense(2, name=name) for name in "abc"]
    >>> model = keras.Sequential([keras.Input((2,)), *dense])
    >>> [kernel.name for kernel in find_kernels(model, ~first_and_last(model))]
    ['b']
    """
    owners = [kernel.layer for kernel in find_kernels(model)]
    return by_layer(*owners[:1], *owners[-1:])


def by_name(*patterns):
    """Returns a predicate that is true of layers whose name matches one of the patterns.

    Args:
        *patterns: Names; `*`, `?` and `[abc]` as in file names.

    Raises:
        ValueError: If no pattern is given or one is not a string.

    Example:
    >>> import keras
    >>> by_name("conv*")(keras.layers.Conv2D(2, 3, name="conv_1"))
    True
    """
    if not patterns or not all(isinstance(pattern, str) for pattern in patterns):
        raise ValueError(f"by_name takes one or more names as strings. Received: patterns={patterns!r}.")
    return Predicate(
        lambda layer: any(fnmatch.fnmatchcase(layer.name, pattern) for pattern in patterns),
        description=f"by_name({', '.join(map(repr, patterns))})",
    )


def by_class(*classes):
    """Returns a predicate that is true of layers that are instances of one of the classes.

    Args:
        *classes: Layer classes.

    Raises:
        ValueError: If no class is given or one is not a class.

    Example:
    >>> import keras
    >>> by_class(keras.layers.Dense)(keras.layers.Dense(2))
    True
    """
    if not classes or not all(isinstance(kind, type) for kind in classes):
        raise ValueError(f"by_class takes one or more layer classes. Received: classes={classes!r}.")
    names = ", ".join(kind.__name__ for kind in classes)
    return Predicate(lambda layer: isinstance(layer, classes), description=f"by_class({names})")


@functools.singledispatch
def kernels(layer):
    """Returns the variables of `layer` itself that are kernels, as a list.

    These are the floating point variables named `kernel`, `..._kernel` or `embeddings` and the one under the
    attribute `kernel`; biases and the parameters of normalizations are none. A recurrent layer has those of
    its cell. For a custom layer that names its kernel otherwise, register a function:
    `select.kernels.register(MyLayer, lambda layer: [layer.w])`.

    Args:
        layer: A built Keras layer.

    Example:
    >>> import keras
    >>> layer = keras.layers.SeparableConv2D(4, 3)
    >>> layer.build((None, 8, 8, 2))
    >>> [variable.name for variable in kernels(layer)]
    ['depthwise_kernel', 'pointwise_kernel']
    """
    cell = getattr(layer, "cell", None)
    if _is_layer(cell):
        return [variable for part in cell._flatten_layers() for variable in kernels(part)]
    own = [*getattr(layer, "_trainable_variables", ()), *getattr(layer, "_non_trainable_variables", ())]
    named = getattr(layer, "kernel", None)
    return [v for v in own if (v is named or _names_a_kernel(v.name)) and "float" in str(v.dtype)]


def _names_a_kernel(name):
    return name.endswith(("kernel", "embeddings")) and not name.startswith("lora")


def _has_kernel(layer):
    return bool(kernels(layer))


has_kernel = Predicate(_has_kernel, description="has_kernel")


@dataclasses.dataclass(frozen=True, eq=False)
class Kernel:
    """A kernel, and where it is in a model.

    Attributes:
        variable: The `keras.Variable`.
        path: Layers from the outermost inside the model to the owner.
        input_axis: Axis that is summed over (channels in).
        output_axis: Axis of the channels out.
    """

    variable: Any
    path: tuple
    input_axis: int
    output_axis: int

    @property
    def layer(self):
        """The layer that owns the kernel."""
        return self.path[-1]

    @property
    def name(self):
        """Names of the layers on the path, joined by `/`, and the variable's where the owner has several."""
        names = "/".join(layer.name for layer in self.path)
        return names if len(kernels(self.layer)) == 1 else f"{names}/{self.variable.name}"

    @property
    def frozen(self):
        """Whether training leaves the kernel alone."""
        return not (self.variable.trainable and all(layer.trainable for layer in self.path))


def find_kernels(model, choice=has_kernel):
    """Returns the kernels of a model in the layers chosen, each once, as a list of `Kernel`.

    Looks into nested models, wrappers, recurrent cells, attention and custom layers that hold layers; a
    layer used twice is listed once.

    Args:
        model: A built Keras model or layer.
        choice: Predicate, function, layer or list of layers.

    Example:
    >>> import keras
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="a")])
    >>> [kernel.name for kernel in find_kernels(model)]
    ['a']
    """
    on_path = as_predicate(choice).on_path
    return [kernel for kernel in _walk(model, ()) if on_path(kernel.path)]


def _walk(layer, path, seen=None):
    seen = set() if seen is None else seen
    if id(layer) in seen:
        return
    seen.add(id(layer))
    for variable in kernels(layer):
        if id(variable) not in seen:
            seen.add(id(variable))
            input_axis, output_axis = _axes(layer, variable)
            yield Kernel(variable, path or (layer,), input_axis, output_axis)
    cell = getattr(layer, "cell", None)
    for inner in layer._flatten_layers(include_self=False, recursive=False):
        if inner is not cell:
            yield from _walk(inner, (*path, inner), seen)


def _axes(layer, variable):
    """Returns the input and the output axis of a kernel, from 0; a depthwise kernel has one for both."""
    rank = len(variable.shape)
    if rank < 2:
        return 0, 0
    classes = [kind.__name__ for kind in type(layer).__mro__]
    if variable.name == "depthwise_kernel" or any("Depthwise" in name for name in classes):
        return rank - 2, rank - 2
    equation = getattr(layer, "equation", None)
    if isinstance(equation, str) and "," in equation:
        return _einsum_axes(equation.replace(" ", ""), rank)
    if any("Transpose" in name for name in classes):
        return rank - 1, rank - 2
    return rank - 2, rank - 1


def _einsum_axes(equation, rank):
    operands, result = equation.split("->")
    letters = operands.split(",")[1].replace("...", "")
    summed = [axis for axis, letter in enumerate(letters) if letter not in result]
    kept = [axis for axis, letter in enumerate(letters) if letter in result]
    return (summed[-1] if summed else rank - 2), (kept[-1] if kept else rank - 1)
