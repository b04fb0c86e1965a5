"""What is known of each layer class: one rule each, and what happens where there is none."""

from __future__ import annotations

import functools

import keras
import numpy as np

from keras_shrink.channels.network import Network, Signal, Step
from keras_shrink.flow import trace


@functools.singledispatch
def rule(layer, step: Step) -> list[Signal]:
    """Says how the channels that come out of a layer depend on those that go in.

    A rule notes in `step.network` which channels lie along which axes of the weights, how the configuration
    follows, and returns a `Signal` for each output. Without a rule all channels a layer touches stay.
    Register one for a layer of your own:

    Example:
    >>> class Scale(keras.layers.Layer):
    ...     def build(self, input_shape):
    ...         self.factor = self.add_weight(shape=(input_shape[-1],), initializer="ones")
    ...
    ...     def call(self, x):
    ...         return x * self.factor
    >>> @rule.register(Scale)
    ... def _(layer, step):
    ...     ids = step.along(-1)
    ...     step.network.weight(layer.factor, {0: ids}, role="scales")
    ...     return [step.gives(ids)]
    """
    return step.stop(f"no rule for {type(layer).__name__} ({layer.name})")


def connect(model, may_cut):
    """Returns the `Network` of a model and its `Flow`.

    Args:
        model: A built Functional or Sequential model.
        may_cut: Function `layer -> bool`: whether the channels that a layer makes may be cut.
    """
    flow = trace(model)
    network = Network()
    for key, tensor in zip(flow.inputs, model.inputs, strict=True):
        shape = tuple(tensor.shape)
        ids = network.fixed(shape[-1] if shape[1:] else 0, "input of the model")
        network.signals[key] = Signal(shape, len(shape) - 1, ids)
    for call in flow.calls:
        inputs = [network.signals[key] for key in call.inputs]
        shapes = [tuple(tensor.shape) for tensor in call.node.outputs]
        step = Step(network, call.layer, call.node, inputs, shapes)
        network.signals.update(zip(call.outputs, apply(step), strict=True))
    for key in flow.outputs:
        network.reasons.update(dict.fromkeys(network.signals[key].ids.tolist(), "output of the model"))
    for source in network.sources.values():
        if not may_cut(source.layer):
            network.pin(source.ids, "not among the layers chosen")
    _tie_shared_models(network, flow)
    return network, flow


def apply(step):
    """Returns what the rule of the layer says, and stops where it cannot be trusted."""
    layer = step.layer
    if getattr(layer, "data_format", "channels_last") == "channels_first":
        return step.stop(f"{layer.name} has its channels first")
    if getattr(layer, "quantization_mode", None) is not None or getattr(layer, "lora_enabled", False):
        return step.stop(f"{layer.name} has weights of its own kind: LoRA, or quantized by Keras")
    if _calls_otherwise(type(layer)):
        return step.stop(f"{type(layer).__name__} ({layer.name}) overrides call and has no rule of its own")
    if not isinstance(layer, keras.layers.Layer) and _has_constant_arrays(step.node):
        return step.stop(f"{layer.name} computes with a constant array")
    return rule(layer, step)


def _calls_otherwise(kind):
    """Whether a class by a user overrides `call` of the Keras class whose rule it would get."""
    known = next((parent for parent in kind.__mro__ if parent in rule.registry), object)
    ours = next((parent for parent in kind.__mro__ if parent.__module__.split(".")[0] == "keras"), None)
    if ours is None or known in (kind, object) or not issubclass(ours, known):
        return False
    return kind.call is not ours.call


def _has_constant_arrays(node):
    leaves = keras.tree.flatten((node.arguments.args, node.arguments.kwargs))
    return any(not isinstance(leaf, keras.KerasTensor) and np.size(leaf) > 1 for leaf in leaves
               if hasattr(leaf, "shape"))  # fmt: skip


def _tie_shared_models(network, flow):
    """A nested model that is called twice has one shape for its inputs."""
    first: dict[int, list[Signal]] = {}
    for call in flow.nested:
        signals = [network.signals[key] for key in call.inputs]
        for one, other in zip(first.setdefault(id(call.layer), signals), signals, strict=True):
            if one.axis == other.axis:
                network.tie(one.ids, other.ids)
            else:
                network.pin(
                    np.concatenate([one.ids, other.ids]), f"{call.layer.name} is called with other axes"
                )


def is_elementwise(function):
    """Returns whether a function treats each channel by itself; softmax, for one, does not.

    Example:
    >>> is_elementwise(keras.activations.relu), is_elementwise(keras.activations.softmax)
    (True, False)
    """
    if function is None:
        return True
    if isinstance(function, keras.layers.Layer):
        return isinstance(function, keras.layers.ReLU | keras.layers.LeakyReLU | keras.layers.ELU)
    x = np.linspace(-2, 2, 12, dtype="float32").reshape(2, 6)
    try:
        whole, part = (
            keras.ops.convert_to_numpy(function(keras.ops.convert_to_tensor(v))) for v in (x, x[:, :3])
        )
    except (TypeError, ValueError):
        return False
    return whole.shape == x.shape and np.allclose(whole[:, :3], part)


def settle(step, ids, *functions):
    """Makes channels stay if an activation behind them looks at several of them."""
    if not all(is_elementwise(function) for function in functions):
        step.network.pin(ids, f"the activation of {step.layer.name} looks at all channels")
    return ids
