"""Copies of a model with some layers exchanged: the only place that clones models."""

import keras


def check_rebuildable(model):
    """Raises unless `model` is a built Functional or Sequential model."""
    if not isinstance(model, keras.Model):
        raise ValueError(f"model must be a keras.Model. Received: model={model!r}.")
    if not isinstance(model, (keras.Sequential, keras.src.models.functional.Functional)):
        raise ValueError(
            "A subclassed model cannot be rebuilt layer by layer: its topology is known only to its "
            f"call(). Received: model of type {type(model).__name__}. Build it from the same layers with "
            "keras.Model(inputs, outputs) or keras.Sequential."
        )
    if not model.built:
        raise ValueError(
            f"The model has no shapes yet. Received: model={model.name!r}, which is not built. "
            "Add keras.Input(...) as its first layer, or call model.build(input_shape)."
        )


def rebuild(model, exchange=None, *, behind_input=None, inner_shape=None):
    """Returns a new model with the topology, layer names and weights of `model`.

    Shared layers stay shared, nested models stay nested, frozen layers stay frozen. A compiled model
    gives one compiled alike, with a fresh optimizer. The model given is not touched.

    Args:
        model: A built Functional or Sequential `keras.Model`.
        exchange: A function `(copy, original) -> layer`, called once for each layer that is not
            itself a model. `copy` is a fresh, unbuilt layer with the configuration of `original`;
            what is returned takes its place, usually a wrapper around `copy`. For a bare operation
            (`x + y`) it is an operation, or a layer that takes the tensors alone. Defaults to keeping
            every copy.
        behind_input: A function `(input KerasTensor) -> layer or None`; a layer is inserted behind
            that input of the outer model. Defaults to inserting nothing.
        inner_shape: A function `(nested model, index) -> shape` of an input of a nested model, batch
            included, for an exchange that changes shapes. Defaults to the shapes that they have.

    Raises:
        ValueError: If the model is subclassed (its topology is unknown) or has no shapes yet.

    Example:
    >>> import keras
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="fc")])
    >>> rebuild(model).get_layer("fc").kernel.shape
    (4, 2)
    """
    check_rebuildable(model)
    pairs = []
    stand_ins = set()
    reshaped = {}

    def copy_layer(original):
        if id(original) in reshaped:
            return reshaped[id(original)]
        if isinstance(original, keras.Model):  # only with `inner_shape`; else Keras opens it up itself
            reshaped[id(original)] = _rebuild_nested(original, copy_layer, inner_shape, stand_ins)
            return reshaped[id(original)]
        replacement = exchanged(original)
        if inner_shape is not None:
            reshaped[id(original)] = replacement
        return replacement

    def exchanged(original):
        copy = original.__class__.from_config(original.get_config())
        pairs.append((original, copy))
        replacement = copy if exchange is None else exchange(copy, original)
        if isinstance(replacement, keras.layers.Layer) and not isinstance(original, keras.layers.Layer):
            stand_ins.add(id(replacement))
        return replacement

    recursive = inner_shape is None
    if isinstance(model, keras.Sequential):
        new = _rebuild_sequential(model, copy_layer, behind_input, recursive)
    else:
        new = _rebuild_functional(model, copy_layer, behind_input, stand_ins, recursive)
    for original, copy in pairs:
        _carry_state(original, copy)
    return new


def _rebuild_nested(model, copy_layer, inner_shape, stand_ins):
    if isinstance(model, keras.Sequential):
        layers = [copy_layer(layer) for layer in model.layers]
        start = keras.Input(batch_shape=inner_shape(model, 0), dtype=model.inputs[0].dtype)
        return keras.Sequential([start, *layers], name=model.name)
    shapes = [inner_shape(model, index) for index in range(len(model.inputs))]
    return _rebuild_functional(model, copy_layer, None, stand_ins, False, shapes)


def _rebuild_sequential(model, copy_layer, behind_input, recursive):
    new = keras.models.clone_model(model, clone_function=copy_layer, recursive=recursive)
    inserted = behind_input(new.inputs[0]) if behind_input else None
    if inserted is None:
        return new
    source = model.inputs[0]
    start = keras.Input(batch_shape=source.shape, dtype=source.dtype, name=source.name)
    extended = keras.Sequential([start, inserted, *new.layers], name=model.name)
    if model.compiled:
        extended.compile_from_config(model.get_compile_config())
    return extended


def _rebuild_functional(model, copy_layer, behind_input, stand_ins, recursive, shapes=None):
    shapes = iter(shapes or [x.shape for x in model.inputs])
    inputs = keras.tree.map_structure(
        lambda x: keras.Input(batch_shape=next(shapes), dtype=x.dtype, name=x.name), model.input
    )
    inserted = {}
    for tensor in keras.tree.flatten(inputs):
        layer = behind_input(tensor) if behind_input else None
        if layer is not None:
            inserted[id(tensor)] = layer(tensor)

    def call(layer, *args, **kwargs):
        args, kwargs = keras.tree.map_structure(lambda x: inserted.get(id(x), x), (args, kwargs))
        if id(layer) in stand_ins:
            # A bare operation takes tensors and numbers one by one, a layer the tensors alone.
            tensors = [x for x in keras.tree.flatten((args, kwargs)) if isinstance(x, keras.KerasTensor)]
            return layer(tensors if len(tensors) > 1 else tensors[0])
        return layer(*args, **kwargs)

    return keras.models.clone_model(
        model,
        input_tensors=inputs,
        clone_function=copy_layer,
        call_function=call,
        recursive=recursive,
    )


def _carry_state(original, copy):
    weights = getattr(original, "weights", [])
    if weights and copy.built:  # an exchange may put another layer in the place of the copy
        copy.set_weights([keras.ops.convert_to_numpy(weight) for weight in weights])
    if not getattr(original, "trainable", True):
        copy.trainable = False
