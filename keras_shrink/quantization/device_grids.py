"""On which grid of integers each tensor of a quantized model lies, and what makes it."""

from keras_shrink.quantization.activation_in_rounding import ActivationInRounding
from keras_shrink.quantization.average_forms import AveragedWindows
from keras_shrink.quantization.depthwise_forms import SaturatedReLU
from keras_shrink.quantization.integer_grid import Grid
from keras_shrink.quantization.merge_forms import JoinedRanges, NearestUpSampling
from keras_shrink.quantization.rules import role
from keras_shrink.weights import Transformed

_TAKING = (JoinedRanges, ActivationInRounding, SaturatedReLU)  # whose rounding is that of what is before


def grid_of(flow, key):
    """Returns the grid on which a tensor lies, None if it is not known."""
    call = flow.makers.get(key)
    while call is not None:
        ends = getattr(call.layer, "outputs_through", None) or [call.layer]
        grid = as_grid(getattr(call.layer, "result_range", ends[-1]))
        if grid is not None or not passes(call.layer, "same_range"):
            return grid
        call = flow.makers.get(call.inputs[0])
    return None


def as_grid(layer):
    """Returns the `Grid` of a layer that rounds to 8 bits, None for any other."""
    return Grid(layer) if hasattr(layer, "ends") and layer.num_bits == 8 else None


def maker(flow, key, ability="is_identity"):
    """Returns the call that makes a tensor, looking through layers that do nothing in inference.

    Args:
        flow: The model's.
        key: Of the tensor.
        ability: `"same_range"` looks through all layers that leave the range of their input as it is.
    """
    call = flow.makers.get(key)
    while call is not None and passes(call.layer, ability):
        call = flow.makers.get(call.inputs[0])
    return call


def passes(layer, ability):
    """Whether a layer rounds nothing and leaves the range of its input, or all of it, as it is."""
    if isinstance(layer, Transformed):
        return ability == "same_range" and isinstance(layer, AveragedWindows | NearestUpSampling)
    return getattr(role(layer), ability)


def inner(layer):
    """Returns the layer that a wrapper runs, any other layer as it is."""
    return layer.layer if isinstance(layer, Transformed) else layer


def target_of(flow, call):
    """Returns the grid to which the result of a call is rounded, be it by a reader; None if not known."""
    reader = call
    while not getattr(reader.layer, "outputs_through", ()):
        if reader is not call and not _hands_on(reader.layer):
            return None
        reader = flow.sole_reader(reader.outputs[0])
        if reader is None:
            return None
    is_its_own = reader is call or isinstance(reader.layer, _TAKING)
    return as_grid(reader.layer.outputs_through[0]) if is_its_own else None


def _hands_on(layer):
    """Whether what a layer gets has the grid of what it makes, though it does not round itself."""
    return type(layer) is ActivationInRounding or passes(layer, "same_range")
