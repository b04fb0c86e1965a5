import keras
import numpy as np
import pytest
from keras import layers

import keras_shrink as ks
from keras_shrink.quantization.kept_structure import KeptStructure, scale_axes
from keras_shrink.weights import Mask, SharedValues, Transformed


def normalized_network():
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((8, 8, 4)),
            layers.Conv2D(16, 3, name="conv"),
            layers.Dropout(0.1),
            layers.BatchNormalization(name="norm"),
            layers.Flatten(),
            layers.Dense(10, name="scores"),
        ]
    )


def test_shared_values_come_before_zeros():
    layer = layers.Dense(2)
    layer.build((None, 2))
    layer.kernel.assign([[1.0, 0.0], [0.0, 1.0]])
    shared = SharedValues([0.0, 1.0], [[1, 0], [0, 1]], zero_first=True)
    assert KeptStructure({id(layer.kernel): [shared]}).of(layer, "kernel") == [shared]
    (mask,) = KeptStructure({}).of(layer, "kernel")
    np.testing.assert_array_equal(mask.mask, [[True, False], [False, True]])


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_weight_without_or_with_nothing_but_zeros_has_no_mask(value):
    layer = layers.Dense(2)
    layer.build((None, 2))
    layer.kernel.assign(np.full((2, 2), value))
    assert KeptStructure({}).of(layer, "kernel") == []


def test_one_table_has_one_scale_and_a_table_for_each_channel_has_many():
    one = SharedValues([0.5, 1.0], [[0, 1]])
    many = SharedValues([[0.5], [1.0]], [[0, 0]], axis=1)
    assert scale_axes([one], (0,)) is None
    assert scale_axes([many], (0,)) == scale_axes([], (0,)) == (0,)
    assert scale_axes([Mask([[True, False]]), one], (0,)) is None


def test_normalization_behind_one_table_is_refused_with_the_ways_out():
    clustered = ks.cluster(normalized_network(), 4)
    with pytest.raises(ValueError, match="BatchNormalization behind conv. Cluster with per_channel=True, or"):
        ks.quantize(clustered)


@pytest.mark.parametrize("way_out", ["per channel", "folded", "left out"])
def test_the_ways_out_work(way_out):
    model = normalized_network()
    if way_out == "per channel":
        clustered = ks.cluster(model, 4, per_channel=True)
    elif way_out == "folded":
        clustered = ks.cluster(ks.fold_normalization(model), 4)
    else:
        clustered = ks.cluster(model, 4, layers=ks.select.by_name("scores"))
    kernel = ks.quantize(clustered).get_layer("scores").transformed("kernel").numpy()
    columns = kernel.T if way_out == "per channel" else [kernel]
    assert {len(np.unique(column)) for column in columns} == {4}


def test_a_layer_that_stays_float_goes_on_sharing():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((5, 5, 5, 4))
    model = keras.Model(inputs, layers.Flatten()(layers.Conv3D(8, 3, name="conv")(inputs)))
    model.compile("sgd", "mse", jit_compile=False)
    clustered = ks.cluster(model, 4)
    with pytest.warns(UserWarning, match="conv: "):
        qat = ks.quantize(clustered)
    qat.fit(np.ones((8, 5, 5, 5, 4)), np.ones((8, 216)), verbose=0)
    (name,) = qat.get_layer("conv").weight_transforms
    before = ks.bake(clustered).get_layer("conv").kernel.numpy()
    after = qat.get_layer("conv").transformed(name).numpy()
    assert len(np.unique(after)) == 4
    assert (after != before).any()
    assert isinstance(qat.get_layer("conv"), Transformed)


def test_four_bits_keep_the_sharing_and_the_zeros():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((16,)), layers.Dense(32, name="fc"), layers.Dense(10, name="scores")]
    )
    model.compile("adam", "mse", jit_compile=False)
    clustered = ks.cluster(ks.prune(model, 0.5), 6)
    qat = ks.quantize(clustered, ks.Int8(weight_bits=4))
    qat.fit(np.ones((32, 16)), np.ones((32, 10)), verbose=0)
    for name in ("fc", "scores"):
        zeros = ks.bake(clustered).get_layer(name).kernel.numpy() == 0
        kernel = qat.get_layer(name).transformed("kernel").numpy()
        assert 2 <= len(np.unique(kernel)) <= 6
        assert not kernel[zeros].any()


@pytest.mark.parametrize("step", [ks.fold_normalization, ks.equalize])
def test_steps_that_change_single_weights_refuse_shared_ones(step):
    with pytest.raises(ValueError, match="cannot be changed one by one.*first and cluster then"):
        step(ks.cluster(normalized_network(), 4))
