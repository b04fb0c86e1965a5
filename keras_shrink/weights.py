"""Weight transforms and the one wrapper that runs any layer with transformed weights."""

import contextlib
import contextvars

import keras
import numpy as np
import tensorflow as tf

_RESULTS = contextvars.ContextVar("keras_shrink_results", default=None)


@contextlib.contextmanager
def results_through(functions):
    """While active, what wrapped layers compute goes through functions before it goes through `outputs`.

    Args:
        functions: `id(wrapper)` -> function of the wrapped layer's result and inputs that returns what
            takes the result's place; its dtype becomes that of the result. Likewise for the layers of
            `outputs`. Only inference asks for it.
    """
    token = _RESULTS.set(functions)
    try:
        yield
    finally:
        _RESULTS.reset(token)


def result_of(layer, result, inputs):
    """Returns a layer's result, in inference, as the function that `results_through` has for it makes it."""
    change = _results().get(id(layer))
    return result if change is None else tf.cast(change(result, inputs), result.dtype)


def _results():
    return _RESULTS.get() or {}


@keras.saving.register_keras_serializable("keras_shrink")
class Mask(keras.layers.Layer):
    """Weight transform that keeps zeros: `w * mask`.

    Gradients of masked weights are zero, so that an optimizer leaves them alone.

    Args:
        values: Boolean array with the shape of the weight, True where it is kept; None only when a
            saved model is loaded, which brings its own.
        shape: Shape of the weight; needed only where `values` is None.
    """

    def __init__(self, values=None, *, shape=None, **kwargs):
        super().__init__(**kwargs)
        shape = tuple(shape) if values is None else np.shape(values)
        initial = np.ones(shape, bool) if values is None else np.asarray(values, bool)
        self.mask = self.add_weight(
            name="mask", shape=shape, dtype="bool", initializer=lambda *_, **__: initial, trainable=False
        )

    def build(self, input_shape):
        """The mask exists from the start."""
        self.built = True

    def call(self, weight, training=None):
        """Returns `weight` with zeros where the mask is False; same shape and dtype."""
        return weight * keras.ops.cast(self.mask, weight.dtype)

    def get_config(self):
        """The shape travels in the config, the values with the weights."""
        return {**super().get_config(), "shape": list(self.mask.shape)}


@keras.saving.register_keras_serializable("keras_shrink")
class SharedValues(keras.layers.Layer):
    """Weight transform in which many weights share few values: `table[index]`.

    The values take the place of the weight, which no longer trains. The gradient of a value is the sum
    of those of the weights that have it.

    Args:
        table: Float array `(values,)`, or `(channels, values)` with `axis`; None only when a saved model is
            loaded, which brings its own.
        index: Integer array with the shape of the weight: which value each weight has.
        axis: Axis of the weight whose channels have a table each; None for one table.
        zero_first: Whether the first value is zero and stays so.
        shapes: Shapes of `table` and `index`; needed only where these are None.

    Reference:
        Han et al., 2016, arXiv:1510.00149, section 3.
    """

    replaces_weight = True

    def __init__(self, table=None, index=None, *, axis=None, zero_first=False, shapes=None, **kwargs):
        super().__init__(**kwargs)
        self.axis, self.zero_first = axis, zero_first
        if table is not None:
            shapes = np.shape(table), np.shape(index)
        values = np.zeros(shapes[0], np.float32) if table is None else np.asarray(table, np.float32)
        indices = np.zeros(shapes[1], np.int32) if index is None else np.asarray(index)
        small = "uint8" if values.shape[-1] <= 256 else "int32"
        self.table = self._state("table", values, "float32", trainable=True)
        self.index = self._state("index", indices, small, trainable=False)

    def _state(self, name, value, dtype, trainable):
        return self.add_weight(
            name=name,
            shape=value.shape,
            dtype=dtype,
            initializer=lambda *_, **__: value,
            trainable=trainable,
            autocast=False,
        )

    def build(self, input_shape):
        """Table and index exist from the start."""
        self.built = True

    def call(self, weight, training=None):
        """Returns the shared values in the shape and dtype of `weight`."""
        table = tf.convert_to_tensor(self.table)
        if self.zero_first:
            table *= (np.arange(self.table.shape[-1]) > 0).astype(np.float32)
        index = tf.cast(self.index, tf.int32)
        if self.axis is not None:
            channels, values = self.table.shape
            shape = [1] * len(self.index.shape)
            shape[self.axis] = channels
            index += np.arange(0, channels * values, values, dtype=np.int32).reshape(shape)
        return tf.cast(tf.gather(tf.reshape(table, [-1]), index), weight.dtype)

    def get_config(self):
        """The shapes travel in the config, the numbers with the weights."""
        shapes = [list(self.table.shape), list(self.index.shape)]
        return {**super().get_config(), "axis": self.axis, "zero_first": self.zero_first, "shapes": shapes}


@keras.saving.register_keras_serializable("keras_shrink")
class Transformed(keras.layers.Wrapper):
    """Runs `layer` with transformed weights, and its output through further layers.

    The float weights stay in `layer` and are what the optimizer trains; at each call every chain of
    transforms is applied to its weight, and the layer sees the results. Any layer will do: nothing
    of it is rewritten.

    Args:
        layer: The layer to run. The wrapper takes its name.
        weights: Mapping from the name of a weight relative to its layer (`"kernel"`,
            `"query/kernel"`), or its position in `layer.weights` as a string (`"3"`), to the list of
            transforms, applied in order; each is a Keras layer that maps a weight to a tensor of the
            same shape. Positions are for layers whose inner layers get a new name in each copy.
        outputs: Keras layers through which the output goes in turn, for example a quantizer.
        inner: Keras layers for values inside: subclasses that compute a layer in several steps send
            the results in between through these.

    Example:
    >>> import numpy as np
    >>> dense = keras.layers.Dense(2, use_bias=False, kernel_initializer="ones")
    >>> masked = Transformed(dense, weights={"kernel": [Mask(np.array([[True, False]] * 3))]})
    >>> masked(np.ones((1, 3), "float32")).numpy()
    array([[3., 0.]], dtype=float32)
    """

    def __init__(self, layer, *, weights=None, outputs=(), inner=(), **kwargs):
        kwargs.setdefault("name", layer.name)
        super().__init__(layer, **kwargs)
        weights = weights or {}
        self.transforms = [step for chain in weights.values() for step in chain]
        for step in self.transforms:
            # Under mixed precision the layer casts what comes out, not the transform what goes in.
            step.autocast = False
        self._chain_lengths = {name: len(chain) for name, chain in weights.items()}
        self.outputs_through = list(outputs)
        self.inner = list(inner)
        self.supports_masking = layer.supports_masking

    @classmethod
    def planned(cls, layer, treatment, **parts):
        """Returns the wrapper for a layer's place in a graph; `treatment` is for subclasses."""
        return cls(layer, **parts)

    @property
    def weight_transforms(self):
        """Mapping from the name of a weight to its list of transforms."""
        steps = iter(self.transforms)
        return {name: [next(steps) for _ in range(n)] for name, n in self._chain_lengths.items()}

    def build(self, input_shape=None):
        """Builds the wrapped layer, then the transforms on its weights."""
        super().build(input_shape)
        for name, chain in self.weight_transforms.items():
            variable = self.variable(name)
            for step in chain:
                if not step.built:
                    step.build(variable.shape)
                if getattr(step, "replaces_weight", False):
                    variable.trainable = False
        self.built = True

    def variable(self, name):
        """Returns the wrapped layer's float variable of that name, relative to the layer, or position."""
        if name.isdecimal() and int(name) < len(self.layer.weights):
            return self.layer.weights[int(name)]
        found = weights_by_name(self.layer)
        if name not in found:
            raise ValueError(
                f"Layer {self.name!r} has no weight of that name; it has {sorted(found)}. "
                f"Received: name={name!r}."
            )
        return found[name]

    def transformed(self, name, training=False):
        """Returns the tensor that the layer sees in place of its weight `name`."""
        value = tf.convert_to_tensor(self.variable(name))
        for step in self.weight_transforms[name]:
            value = step(value, training=training)
        return value

    def call(self, inputs, training=None, **kwargs):
        """Runs the layer with its transformed weights; arguments are those of the layer."""
        result = self.run_layer(inputs, training, **kwargs)
        result = result if training else result_of(self, result, inputs)
        for step in self.outputs_through:
            before = result
            result = step(result, training=training) if step._call_has_training_arg else step(result)
            result = result if training else result_of(step, result, before)
        return result

    def in_evaluation(self):
        """Returns the function that `results_through` has for this wrapper; None where there is none."""
        return _results().get(id(self))

    def run_layer(self, inputs, training, **kwargs):
        """Returns the layer's output, computed with its transformed weights, before `outputs`."""
        if self.layer._call_has_training_arg:
            kwargs["training"] = training
        if not self.transforms:
            return self.called(inputs, **kwargs)
        substitutes = {
            self.variable(name).path: self.transformed(name, training) for name in self._chain_lengths
        }
        variables = self.layer.variables
        mapping = [(v, substitutes.get(v.path, tf.convert_to_tensor(v))) for v in variables]
        with keras.StatelessScope(state_mapping=mapping) as scope:
            result = self.called(inputs, **kwargs)
        for variable in self.layer.non_trainable_variables:
            update = scope.get_current_value(variable)
            if update is not None and variable.path not in substitutes:
                variable.assign(update)
        return result

    def called(self, inputs, **kwargs):
        """Calls the wrapped layer; subclasses for layers of several arguments hand these out."""
        return self.layer(inputs, **kwargs)

    def compute_output_shape(self, *args, **kwargs):
        """The shape that the wrapped layer gives, which outputs keep."""
        return self.layer.compute_output_shape(*args, **kwargs)

    def compute_output_spec(self, inputs, training=None, **kwargs):
        """Shape and dtype without running the chain: nothing is observed while a model is built."""
        if self.layer._call_has_training_arg:
            kwargs["training"] = training
        spec = self.layer.compute_output_spec(inputs, **kwargs)
        for step in self.outputs_through:
            spec = step.compute_output_spec(spec)
        return spec

    def get_config(self):
        """Everything is nested configuration."""
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "weights": {n: [serialize(s) for s in c] for n, c in self.weight_transforms.items()},
            "outputs": [serialize(step) for step in self.outputs_through],
            "inner": [serialize(step) for step in self.inner],
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Restores layer, transforms and outputs."""

        def restore(item):
            return keras.saving.deserialize_keras_object(item, custom_objects=custom_objects)

        config = dict(config)
        layer = restore(config.pop("layer"))
        weights = {name: [restore(step) for step in chain] for name, chain in config.pop("weights").items()}
        outputs, inner = ([restore(step) for step in config.pop(name)] for name in ("outputs", "inner"))
        return cls(layer, weights=weights, outputs=outputs, inner=inner, **config)


def weights_by_name(layer):
    """Returns the variables of `layer`: name relative to the layer -> variable."""
    return {relative_name(layer, variable): variable for variable in layer.weights}


def relative_name(layer, variable):
    """Returns the name of `variable` below `layer`: `"kernel"`, or `"cell/kernel"` deeper down."""
    parts = variable.path.split("/")
    if layer.name in parts:
        return "/".join(parts[len(parts) - parts[::-1].index(layer.name) :])
    return parts[-1]
