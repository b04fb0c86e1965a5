import keras
import numpy as np
import pytest
from keras import layers

import keras_shrink as ks
from keras_shrink import select
from keras_shrink.clustering import coding_report
from keras_shrink.clustering.coding import _huffman_length

CHECKED = np.indices((40, 10)).sum(axis=0) % 2.0  # ones and zeros in turn


def plain_network(kernel):
    model = keras.Sequential([keras.Input((kernel.shape[0],)), layers.Dense(kernel.shape[1], name="fc")])
    model.get_layer("fc").kernel.assign(kernel)
    return model


def test_indices_and_table_are_counted():
    kernel = np.random.default_rng(0).choice([0.0, 0.5, 1.0, -1.0, 2.0], (40, 10))
    (coded,) = coding_report(plain_network(kernel)).kernels
    assert (coded.tables, coded.values, coded.index_bits) == (1, 5, 3)
    assert coded.table_bytes == 5 * 4
    assert coded.index_bytes == 40 * 10 * 3 // 8
    assert coded.coded_bytes == 20 + 150


def test_the_model_counts_everything_else_as_float32():
    report = coding_report(plain_network(CHECKED))
    assert report.other_bytes == 4 * 10
    assert report.plain_bytes == 4 * (40 * 10 + 10)
    assert report.coded_bytes == 8 + 50 + 40


def test_many_different_values_are_not_coded():
    (coded,) = coding_report(plain_network(np.arange(80.0).reshape(8, 10))).kernels
    assert (coded.tables, coded.index_bits, coded.coded_bytes) == (0, 32, 320)
    assert coded.huffman_bytes == 320


def test_a_table_for_each_channel_where_that_is_smaller():
    generator = np.random.default_rng(0)
    tables = generator.normal(size=(3, 4))
    kernel = np.stack([generator.choice(table, 1000) for table in tables], axis=1)
    (coded,) = coding_report(plain_network(kernel)).kernels
    assert (coded.tables, coded.values, coded.index_bits) == (3, 4, 2)
    assert coded.coded_bytes == 3 * 4 * 4 + 3000 * 2 // 8


@pytest.mark.parametrize(
    ("counts", "bits"), [([7], 0), ([3, 3], 6), ([1, 1, 2], 6), ([1, 1, 1, 1], 8), ([8, 4, 2, 1, 1], 30)]
)
def test_huffman_codes_have_the_known_length(counts, bits):
    assert _huffman_length(np.array(counts)) == bits


def test_entropy_is_below_huffman_and_huffman_below_plain_indices():
    kernel = np.random.default_rng(0).choice([0.0, 1.0, 2.0, 3.0], (50, 10), p=[0.7, 0.1, 0.1, 0.1])
    (coded,) = coding_report(plain_network(kernel)).kernels
    share = np.unique(kernel, return_counts=True)[1] / 500
    assert coded.entropy_bits == pytest.approx(-(share * np.log2(share)).sum())
    assert coded.entropy_bits < coded.huffman_bits < coded.index_bits
    assert coded.huffman_bytes < coded.coded_bytes


def test_the_report_sees_what_layers_compute_with():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((32,)), layers.Dense(32, name="fc"), layers.Dense(20, name="head")])
    clustered = ks.cluster(model, 8, layers=select.by_name("fc"))
    clustered.get_layer("fc").transforms[0].table.assign(np.arange(8.0))
    report, baked = coding_report(clustered), coding_report(ks.bake(clustered))
    assert [(kernel.tables, kernel.values) for kernel in report.kernels] == [(1, 8), (0, 0)]
    assert report.coded_bytes == baked.coded_bytes == 8 * 4 + 1024 * 3 // 8 + 32 * 20 * 4 + 52 * 4
    eight_bits = coding_report(ks.quantize(clustered), value_bits=8)
    assert eight_bits.kernels[0].coded_bytes == 8 + 1024 * 3 // 8
    assert eight_bits.other_bytes == 52 * 4 + 3 * 12  # three ranges


def test_the_text_names_kernels_sizes_and_what_is_an_estimate():
    text = str(coding_report(plain_network(CHECKED)))
    assert text.splitlines()[1].split() == [
        "fc",
        "40x10",
        "2",
        "1",
        "8",
        "B",
        "50",
        "B",
        "58",
        "B",
        "1.00",
        "1.00",
    ]
    assert "98 of 1640 bytes (16.7x less)" in text
    assert "an estimate" in text


def test_widths_of_values_are_checked():
    with pytest.raises(ValueError, match="value_bits must be 8, 16 or 32. Received: value_bits=4"):
        coding_report(plain_network(np.ones((2, 2))), value_bits=4)
