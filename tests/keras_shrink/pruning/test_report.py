import keras
import numpy as np
import pytest

import keras_shrink as ks


def model_with(kernel):
    kernel = np.asarray(kernel, "float32")
    model = keras.Sequential(
        [keras.Input((kernel.shape[0],)), keras.layers.Dense(kernel.shape[1], name="fc")]
    )
    model.layers[0].kernel.assign(kernel)
    return model


def test_the_report_measures_what_is_there():
    kernel = [[0, 0, 0, 0, 1, -2], [0, 0, 0, 0, 0, 0], [3, 0, 0, 0, 0, 0], [4, 0, 0, 0, 0, 5]]
    report = ks.sparsity_report(model_with(kernel))
    (row,) = report.kernels
    assert (row.name, row.shape, row.weights, row.zeros) == ("fc", (4, 6), 24, 19)
    assert row.mean_abs == report.mean_abs == pytest.approx(15 / 24)
    assert row.channel_sparsity == (0.5, 1.0, 1.0, 1.0, 0.75, 0.5)
    assert row.zero_channels == 3
    assert row.zero_blocks == pytest.approx(4 / 8)
    assert row.conforming_groups == 1.0
    assert report.sparsity == pytest.approx(19 / 24)
    assert report.nonzero_parameters == 5 + 6
    assert report.compression == pytest.approx(30 / 11)
    assert report.bitmap_bytes == 4 * 11 + 3


def test_blocks_and_groups_can_be_chosen():
    report = ks.sparsity_report(model_with(np.eye(4)), block=ks.Block((2, 2)), n_of_m=ks.NofM(1, 2))
    assert report.kernels[0].zero_blocks == 0.5
    assert report.kernels[0].conforming_groups == 1.0


def test_it_prints_as_a_table():
    text = str(ks.sparsity_report(model_with(np.eye(4))))
    assert text.splitlines()[0].split() == [
        "kernel",
        "shape",
        "weights",
        "zeros",
        "mean",
        "|w|",
        "zero",
        "channels",
        "1x4",
        "blocks",
        "2:4",
    ]
    assert text.splitlines()[1].split() == ["fc", "4x4", "16", "75.0%", "0.2500", "0/4", "0.0%", "100.0%"]
    assert "8 of 20 parameters left: 2.5x fewer; as float32 with a bitmap 34 of 80 bytes, 2.4x." in text
