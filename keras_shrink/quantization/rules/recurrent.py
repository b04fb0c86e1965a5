"""Rules of recurrent layers and of the layers that move the time axis."""

from __future__ import annotations

from keras import layers

from keras_shrink.quantization.expansion import reason_against
from keras_shrink.quantization.lstm_form import LSTMAsOperator
from keras_shrink.quantization.recurrent_forms import SteppedGRU, SteppedLSTM, SteppedSimpleRNN
from keras_shrink.quantization.rules.roles import Role, activation_name, role
from keras_shrink.quantization.time_axis import FoldTime, ReverseTime, UnfoldTime


@role.register(layers.SimpleRNN)
def _(layer):
    return _recurrent(layer, SteppedSimpleRNN, ("tanh", "sigmoid", "relu", "linear"))


@role.register(layers.GRU)
def _(layer):
    return _recurrent(layer, SteppedGRU, ("tanh",))


@role.register(layers.LSTM)
def _(layer):
    return _recurrent(layer, SteppedLSTM if layer.unroll else LSTMAsOperator, ("tanh",))


def _recurrent(layer, form, activations) -> Role:
    reason = _reason(layer, activations)
    if reason:
        return Role(reason=reason)
    cell = layer.cell.name
    weights = {f"{cell}/kernel": (0,), f"{cell}/recurrent_kernel": (0,)}
    return Role(weights, form=form, inner_ranges=form.outside + form.inside, has_own_scale=True)


def _reason(layer, activations) -> str:
    if layer.stateful:
        return (
            "it is stateful; on the device every sequence starts from zeros. Feed whole sequences, or keep "
            "the state outside of the model"
        )
    if layer.return_state:
        return "it returns its state; take the last step of return_sequences=True instead"
    name = activation_name(layer.activation)
    if name not in activations:
        return f"its activation {name} has no integer form here (there are {', '.join(activations)})"
    gate = activation_name(getattr(layer, "recurrent_activation", "sigmoid") or "sigmoid")
    if hasattr(layer, "recurrent_activation") and gate != "sigmoid":
        return f"its recurrent_activation {gate} has no integer form here (there is sigmoid)"
    return reason_against(layer)


@role.register(layers.TimeDistributed)
@role.register(layers.Bidirectional)
def _(layer):
    # Where nothing is in the way, `expand` has put other layers into their place.
    return Role(reason=reason_against(layer) or "the number of its steps is not known; fix it in keras.Input")


@role.register(FoldTime)
@role.register(UnfoldTime)
@role.register(ReverseTime)
def _(layer):
    return Role(same_range=True)
