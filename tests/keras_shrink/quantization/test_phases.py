import keras
import numpy as np
import pytest

import keras_shrink as ks
from keras_shrink.quantization.quantize import activation_quantizers
from tests.keras_shrink.networks import mobile_network, pictures

X, Y = pictures(32), np.arange(32) % 5


class Watch(keras.callbacks.Callback):
    """Notes ranges and statistics at the end of each epoch."""

    def __init__(self):
        super().__init__()
        self.ranges, self.statistics, self.gammas = [], [], []

    def on_epoch_end(self, epoch, logs=None):
        norm = next(
            layer
            for layer in self.model._flatten_layers()
            if isinstance(layer, keras.layers.BatchNormalization)
        )
        self.ranges.append([quantizer.range() for quantizer in activation_quantizers(self.model).values()])
        self.statistics.append(np.concatenate([norm.moving_mean.numpy(), norm.moving_variance.numpy()]))
        self.gammas.append(norm.gamma.numpy())


def compiled(model, jit_compile=False, learning_rate=0.01):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(learning_rate), loss, jit_compile=jit_compile)
    return model


def fitted(phases, *, epochs, jit_compile=False):
    watch = Watch()
    model = compiled(ks.quantize(mobile_network()), jit_compile)
    model.fit(X, Y, epochs=epochs, batch_size=16, callbacks=[phases, watch], verbose=0)
    return watch


@pytest.mark.parametrize("jit_compile", [False, True])
def test_statistics_freeze_first_and_ranges_later_inside_one_compiled_step(jit_compile):
    phases = ks.QuantizationPhases(freeze_normalization_from=1, freeze_ranges_from=2)
    watch = fitted(phases, epochs=4, jit_compile=jit_compile)
    for later in (1, 2, 3):
        np.testing.assert_array_equal(watch.statistics[later], watch.statistics[0])
        assert np.any(watch.gammas[later] != watch.gammas[later - 1])
    assert watch.ranges[1] != watch.ranges[0]
    assert watch.ranges[3] == watch.ranges[2] == watch.ranges[1]


def test_without_settings_training_is_as_without_the_callback():
    models = [compiled(ks.quantize(mobile_network())) for _ in range(2)]
    for model, callbacks in zip(models, ([], [ks.QuantizationPhases()]), strict=True):
        model.fit(X, Y, epochs=2, batch_size=16, shuffle=False, callbacks=callbacks, verbose=0)
    for with_it, without in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_allclose(with_it, without, atol=1e-5)


def test_delayed_training_is_that_of_the_float_model_and_observes_ranges():
    floating = compiled(mobile_network())
    quantized = compiled(ks.quantize(floating))
    for model, callbacks in ((floating, []), (quantized, [ks.QuantizationPhases(quantize_from=9)])):
        model.fit(X, Y, epochs=2, batch_size=16, shuffle=False, callbacks=callbacks, verbose=0)
    np.testing.assert_allclose(
        quantized.get_layer("stem").layer.kernel, floating.get_layer("stem").kernel, atol=1e-5
    )
    assert all(high > low for low, high in (q.range() for q in activation_quantizers(quantized).values()))
    difference = np.abs(quantized.predict(X, verbose=0) - floating.predict(X, verbose=0))
    assert 0 < difference.max() < 0.2


def test_the_model_is_left_as_it_was():
    model = compiled(ks.quantize(mobile_network()))
    model.fit(X, Y, callbacks=[ks.QuantizationPhases(freeze_ranges_from=0)], verbose=0)
    assert not [layer for layer in model._flatten_layers() if "call" in vars(layer)]
    before = [quantizer.range() for quantizer in activation_quantizers(model).values()]
    model.fit(3 * X, Y, verbose=0)
    assert [quantizer.range() for quantizer in activation_quantizers(model).values()] != before


def test_a_float_model_is_refused():
    with pytest.raises(ValueError, match=r"nothing to delay or freeze.*'mobile_network'.*quantize\(model\)"):
        compiled(mobile_network()).fit(X, Y, callbacks=[ks.QuantizationPhases()], verbose=0)


def test_epochs_are_checked():
    with pytest.raises(ValueError, match=r"quantize_from must be .*Received: quantize_from=-1"):
        ks.QuantizationPhases(quantize_from=-1)
    with pytest.raises(ValueError, match=r"Ranges must not freeze before .*freeze_ranges_from=2"):
        ks.QuantizationPhases(freeze_normalization_from=3, freeze_ranges_from=2)
