"""`prune`: pruning at once, without training; and taking up the zeros of a model that is there."""

import keras

from keras_shrink import rebuild, select
from keras_shrink.pruning import patterns, scores
from keras_shrink.pruning.constraint import MaskConstraint, read
from keras_shrink.pruning.pruner import Pruner


def prune(
    model,
    sparsity=None,
    *,
    layers=select.has_kernel,
    pattern=patterns.Element(),  # noqa: B008 - frozen, so it can be shared
    score=scores.magnitude,
    scope="layer",
):
    """Returns a pruned copy of a model, in one shot; the model given is not touched.

    Use it to see what a fraction costs before any training, and for small fractions that need none. Beyond
    that fine-tune: the copy holds its zeros while it trains, as after `GradualPruning`.

    Args:
        model: A built Keras model. A subclassed one is copied through its `get_config`.
        sparsity: Fraction in [0, 1), or mapping from a choice of layers to one; by default what the pattern
            says, where it says one: a half for `NofM(2, 4)`.
        layers: Predicate, function `layer -> bool`, layer, or list of layers of the model given.
        pattern: `Element()`, `Block(...)` or `NofM(...)`.
        score: Function `weight -> array`, or `Taylor(...)`; the lowest are pruned first.
        scope: `"layer"`, `"global"` or `Global(...)`.

    Raises:
        ValueError: If a choice is out of range, no layer is chosen, or the model cannot be copied.

    Example:
    >>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4)])
    >>> pruned = prune(model, 0.75)
    >>> float((pruned.layers[0].kernel.numpy() == 0).mean())
    0.75

    Reference:
        Han et al., 2015, arXiv:1506.02626.
    """
    if hasattr(score, "increment"):
        raise ValueError(
            f"This score needs training, and prune does none. Received: score={score!r}. "
            "Use it in GradualPruning."
        )
    if sparsity is None:
        sparsity = pattern.largest_fraction()
        if sparsity >= 1.0:
            raise ValueError(f"sparsity must be given for {pattern}. Received: sparsity=None.")
    pruned = copied(model)
    pruner = Pruner(_moved(sparsity, model, pruned), layers=_moved_choice(layers, model, pruned),
                    pattern=pattern, score=score, scope=scope)  # fmt: skip
    pruner.begin(pruned)
    pruner.step()
    pruner.end()
    return pruned


def keep_zeros(model, *, layers=select.has_kernel):
    """Makes training keep the zeros that the kernels of a model have, and returns how many there are.

    Use it after loading a pruned model and before fine-tuning it: a saved model is a plain Keras model, so
    nothing in the file holds the zeros. Like `compile`, it sets up training and changes no weight. A kernel
    that is all zeros is taken as not pruned.

    Args:
        model: A built Keras model.
        layers: Predicate, function `layer -> bool`, layer, or list of layers.

    Returns:
        A dict from the name of a kernel to its fraction of zeros that are held.

    Raises:
        ValueError: If no layer is chosen or the model is not built.

    Example:
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, name="fc")])
    >>> _ = model.layers[0].kernel.assign([[1.0, 0.0], [0.0, 1.0]])
    >>> keep_zeros(model)
    {'fc': 0.5}
    """
    pruner = Pruner(0.0, layers=layers)
    pruner.begin(model)
    return pruner.layer_sparsity


def copied(model):
    """Returns a copy of a model with the same weights, that trains with the same masks.

    Args:
        model: A built Keras model; a subclassed one needs a `get_config` from which it can be made again.

    Raises:
        ValueError: If the model is not built or cannot be copied.

    Example:
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    >>> copied(model) is model
    False
    """
    if not isinstance(model, keras.Model) or not model.built:
        raise ValueError(f"model must be a built keras.Model. Received: model={model!r}.")
    # One whose class has a constructor of its own may hold more than layers.
    copy = rebuild.rebuild(model) if rebuild.has_keras_constructor(model) else _copied_by_config(model)
    for old, new in zip(model.weights, copy.weights, strict=True):
        if isinstance(old.constraint, MaskConstraint):
            new.constraint = MaskConstraint(new, read(old.constraint.mask))
    return copy


def _copied_by_config(model):
    way_out = (
        "Give the class a get_config and from_config that make it again, and register it with "
        "keras.saving.register_keras_serializable, or prune the model itself with GradualPruning or Pruner."
    )
    try:
        config = keras.saving.serialize_keras_object(model)
        copy = keras.saving.deserialize_keras_object(
            config, custom_objects={type(model).__name__: type(model)}
        )
    except (TypeError, ValueError, NotImplementedError) as problem:
        reason = " ".join(str(problem).split("\n\n")[0].split())  # Keras goes on with an example
        raise ValueError(
            f"A subclassed model is copied through its config, and {type(model).__name__} failed: {reason} "
            f"{way_out}"
        ) from problem
    shapes = [tuple(weight.shape) for weight in model.weights]
    if not copy.built or [tuple(weight.shape) for weight in copy.weights] != shapes:
        raise ValueError(
            f"The copy that {type(model).__name__} made from its config does not have the weights of the "
            f"model. {way_out}"
        )
    copy.set_weights([read(weight) for weight in model.weights])
    return copy


def _moved(sparsity, model, copy):
    if not hasattr(sparsity, "items"):
        return sparsity
    return {_moved_choice(key, model, copy): value for key, value in sparsity.items()}


def _moved_choice(choice, model, copy):
    """Returns a choice of layers of `model` as one of the same layers of `copy`."""
    predicate = select.as_predicate(choice)
    chosen = {id(kernel.variable) for kernel in select.find_kernels(model, predicate)}
    twins = {
        id(new.variable): id(old.variable)
        for old, new in zip(select.find_kernels(model), select.find_kernels(copy), strict=True)
    }

    def owns_chosen(layer):
        return any(twins.get(id(variable)) in chosen for variable in select.kernels(layer))

    return select.Predicate(
        owns_chosen, on_path=lambda path: owns_chosen(path[-1]), description=repr(predicate)
    )
