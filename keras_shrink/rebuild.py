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


def has_keras_constructor(model) -> bool:
    """Whether the class of a Functional or Sequential model is made from layers alone, as Keras' own are.

    Example:
    >>> has_keras_constructor(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]))
    True
    """
    plain = keras.Sequential, keras.src.models.functional.Functional
    return type(model).__init__ in [kind.__init__ for kind in plain]


def rebuild(model, exchange=None, *, behind_input=None, inner_shape=None, as_class=type):
    """Returns a new model with the topology, layer names and weights of `model`.

    Shared layers stay shared, nested models stay nested, frozen layers stay frozen. A compiled model
    gives one compiled alike, with a fresh optimizer. The model given is not touched.

    Args:
        model: A built Functional or Sequential `keras.Model`.
        exchange: A function `(copy, original) -> layer`, called once for each layer that is not
            itself a model. `copy` is a fresh, unbuilt layer with the configuration of `original`;
            what is returned takes its place, usually a wrapper around `copy`; a list of layers takes
            it one after the other. For a bare operation (`x + y`) it is an operation, or a layer that
            takes the tensors alone. Defaults to keeping every copy.
        behind_input: A function `(input KerasTensor) -> layer or None`; a layer is inserted behind
            that input of the outer model. Defaults to inserting nothing.
        inner_shape: A function `(nested model, index) -> shape` of an input of a nested model, batch
            included, for an exchange that changes shapes. Defaults to the shapes that they have.
        as_class: A function `original -> class` that says of which class a copy is: that of the original,
            or a subclass with the same configuration and weights. Defaults to `type`.

    Raises:
        ValueError: If the model is subclassed (its topology is unknown) or has no shapes yet.

    Example:
    >>> import keras
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="fc")])
    >>> rebuild(model).get_layer("fc").units
    2
    """
    check_rebuildable(model)
    copies = _Copies(exchange, inner_shape, as_class)
    new = copies.of_model(model, behind_input)
    for original, copy in copies.pairs:
        _carry_state(original, copy)
    return new


class _Copies:
    """Copies of layers and of the models between them; each layer has one, however often it is used."""

    def __init__(self, exchange, inner_shape, as_class):
        self.pairs = []
        self.stand_ins = set()
        self.followers = {}
        self._exchange = exchange
        self._inner_shape = inner_shape
        self._as_class = as_class
        self._known = {}

    def of_model(self, model, behind_input=None, shapes=None):
        """Returns the copy of a Functional or Sequential model, for inputs of the shapes given."""
        shapes = shapes or [x.shape for x in model.inputs]
        if isinstance(model, keras.Sequential):
            return _rebuild_sequential(model, self, behind_input, shapes)
        return _rebuild_functional(model, self, behind_input, shapes)

    def __call__(self, original):
        """Returns what takes the place of a layer; the first of it, where it is several (`chain`)."""
        if id(original) not in self._known:
            self._known[id(original)] = self._made(original)
        return self._known[id(original)]

    def chain(self, original):
        """Returns all that takes the place of a layer, in order."""
        first = self(original)
        return [first, *self.followers.get(id(first), ())]

    def _made(self, original):
        if isinstance(original, (keras.Sequential, keras.src.models.functional.Functional)):
            count = range(len(original.inputs))
            shapes = [self._inner_shape(original, i) for i in count] if self._inner_shape else None
            return self.of_model(original, shapes=shapes)
        copy = self._as_class(original).from_config(original.get_config())
        self.pairs.append((original, copy))
        replacement = copy if self._exchange is None else self._exchange(copy, original)
        if isinstance(replacement, list):
            replacement, *rest = replacement
            self.followers[id(replacement)] = rest
        if isinstance(replacement, keras.layers.Layer) and not isinstance(original, keras.layers.Layer):
            self.stand_ins.add(id(replacement))
        return replacement


def _rebuild_sequential(model, copies, behind_input, shapes):
    source = model.inputs[0]
    start = keras.Input(batch_shape=shapes[0], dtype=source.dtype, name=source.name)
    inserted = behind_input(start) if behind_input else None
    parts = [part for layer in model.layers for part in copies.chain(layer)]
    first = [] if inserted is None else [inserted]
    kind = type(model) if has_keras_constructor(model) else keras.Sequential
    new = kind([start, *first, *parts], name=model.name, trainable=model.trainable)
    if model.compiled:
        new.compile_from_config(model.get_compile_config())
    return new


def _rebuild_functional(model, copies, behind_input, shapes):
    sizes = iter(shapes)
    inputs = keras.tree.map_structure(
        lambda x: keras.Input(batch_shape=next(sizes), dtype=x.dtype, name=x.name), model.input
    )
    inserted = {}
    for tensor in keras.tree.flatten(inputs):
        layer = behind_input(tensor) if behind_input else None
        if layer is not None:
            inserted[id(tensor)] = layer(tensor)

    def call(layer, *args, **kwargs):
        args, kwargs = keras.tree.map_structure(lambda x: inserted.get(id(x), x), (args, kwargs))
        if kwargs.get("mask", 0) is None:  # which a layer in another's place may not take
            del kwargs["mask"]
        if id(layer) in copies.stand_ins:
            # A bare operation takes tensors and numbers one by one, a layer the tensors alone.
            tensors = [x for x in keras.tree.flatten((args, kwargs)) if isinstance(x, keras.KerasTensor)]
            result = layer(tensors if len(tensors) > 1 else tensors[0])
        else:
            result = layer(*args, **kwargs)
        for follower in copies.followers.get(id(layer), ()):
            result = follower(result)
        return result

    return keras.models.clone_model(
        model,
        input_tensors=inputs,
        clone_function=copies,
        call_function=call,
    )


def _carry_state(original, copy):
    weights = getattr(original, "weights", [])
    if weights and copy.built:  # an exchange may put another layer in the place of the copy
        copy.set_weights([keras.ops.convert_to_numpy(weight) for weight in weights])
    if not getattr(original, "trainable", True):
        copy.trainable = False
