"""Rules of attention and of products of computed matrices."""

from __future__ import annotations

from keras import layers

from keras_shrink.quantization.attention_forms import AttentionInSteps
from keras_shrink.quantization.rules.roles import Role, role


@role.register(layers.MultiHeadAttention)
def _(layer):
    rank = len(layer._inbound_nodes[0].input_tensors[0].shape)
    if rank != 3:
        return Role(reason=f"it attends over an input of rank {rank}; of rank 3 it has an integer form")
    if layer._output_shape and len(layer._output_shape) != 1:
        return Role(reason=f"its output_shape {layer._output_shape} has several axes; use one and a Reshape")
    for node in layer._inbound_nodes:
        unusual = {
            name
            for name, value in node.arguments.kwargs.items()
            if name.endswith(("_mask", "_scores"))
            and name != "use_causal_mask"
            and value is not None
            and value is not False
        }
        if unusual or len(node.arguments.args) > 3:
            names = ", ".join(sorted(unusual)) or "an argument by position"
            return Role(
                reason=f"{names}: masks computed at run time have no integer form (use_causal_mask has)"
            )
    projections = {f"{name}/kernel": (0,) for name in ("query", "key", "value")}
    weights = {**projections, "attention_output/kernel": (0, 1)}
    return Role(weights, form=AttentionInSteps, inner_ranges=5)


@role.register(layers.Dot)
def _(layer):
    if layer.normalize:
        return Role(reason="normalize=True is an operator of its own; put UnitNormalization before it")
    return Role()
