"""What tfmot's guides on clustering and on combinations do: the same calls, with `keras` and the facade."""

import os

import keras
import numpy as np
import pytest

import tflite_export as te
from keras_shrink.compat import tfmot
from keras_shrink.compat.tfmot.clustering.keras.experimental import cluster

clustering = tfmot.clustering.keras
quantization = tfmot.quantization.keras
sparsity = tfmot.sparsity.keras
cluster_weights = clustering.cluster_weights
CentroidInitialization = clustering.CentroidInitialization
pytestmark = pytest.mark.filterwarnings("ignore:Do not pass an `input_shape`")
X = np.random.default_rng(0).uniform(size=(32, 8, 8)).astype("float32")
Y = np.arange(32) % 10


def network():
    return keras.Sequential(
        [
            keras.layers.InputLayer(shape=(8, 8)),
            keras.layers.Reshape(target_shape=(8, 8, 1)),
            keras.layers.Conv2D(filters=12, kernel_size=(3, 3), activation="relu", name="conv"),
            keras.layers.MaxPooling2D(pool_size=(2, 2)),
            keras.layers.Flatten(),
            keras.layers.Dense(10, name="fc"),
        ]
    )


def trained(model, callbacks=()):
    model.compile(
        optimizer=keras.optimizers.Adam(1e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    model.fit(X, Y, epochs=1, verbose=0, callbacks=list(callbacks))
    return model


def values(layer):
    return np.unique(layer.kernel.numpy()).size


def test_a_whole_model_as_in_the_example(tmp_path):
    model = network()
    clustering_params = {
        "number_of_clusters": 8,
        "cluster_centroids_init": CentroidInitialization.LINEAR,
    }
    summaries = clustering.ClusteringSummaries(log_dir=str(tmp_path / "logs"))
    clustered_model = trained(cluster_weights(model, **clustering_params), [summaries])
    assert os.listdir(tmp_path / "logs" / "clustering")
    final_model = clustering.strip_clustering(clustered_model)
    assert [values(final_model.get_layer(name)) for name in ("conv", "fc")] == [8, 8]
    assert type(final_model.get_layer("fc")) is keras.layers.Dense
    assert values(model.get_layer("fc")) > 100
    assert np.array_equal(final_model.predict(X, verbose=0), clustered_model.predict(X, verbose=0))


@pytest.mark.parametrize("suffix", ["h5", "keras"])
def test_some_layers_by_cloning_saved_and_loaded(tmp_path, suffix):
    base_model = network()

    def apply_clustering_to_dense(layer):
        if isinstance(layer, keras.layers.Dense):
            return cluster_weights(layer, 4, CentroidInitialization.DENSITY_BASED)
        return layer

    clustered = trained(keras.models.clone_model(base_model, clone_function=apply_clustering_to_dense))
    path = tmp_path / f"model.{suffix}"
    clustered.save(path)
    with clustering.cluster_scope():
        loaded = keras.models.load_model(path)
    assert np.array_equal(loaded.predict(X, verbose=0), clustered.predict(X, verbose=0))
    stripped = clustering.strip_clustering(trained(loaded) if suffix == "keras" else loaded)
    assert values(stripped.get_layer("fc")) == 4
    assert values(stripped.get_layer("conv")) > 50


def test_weights_that_a_custom_layer_names():
    class MyDense(keras.layers.Dense, clustering.ClusterableLayer):
        def get_clusterable_weights(self):
            return [("kernel", self.kernel), ("bias", self.bias)]

    layer = MyDense(20, input_shape=(8, 8), bias_initializer="random_normal", name="mine")
    model = keras.Sequential([cluster_weights(layer, 3), keras.layers.Flatten()])
    stripped = clustering.strip_clustering(model).get_layer("mine")
    assert values(stripped) == 3
    assert np.unique(stripped.bias.numpy()).size == 3


def test_tables_for_each_channel_and_zeros():
    model = network()
    kernel = model.get_layer("conv").kernel
    kernel.assign(np.where(np.arange(9).reshape(3, 3, 1, 1) < 4, 0, kernel.numpy()))
    clustered = cluster.cluster_weights(
        model, 3, CentroidInitialization.KMEANS_PLUS_PLUS, preserve_sparsity=True, cluster_per_channel=True
    )
    stripped = clustering.strip_clustering(trained(clustered))
    kernel = stripped.get_layer("conv").kernel.numpy().reshape(9, 12)
    assert max(np.unique(channel).size for channel in kernel.T) == 3
    assert np.unique(kernel).size > 3
    assert (kernel[:4] == 0).all()
    assert values(stripped.get_layer("fc")) <= 3


def test_pruning_preserving_training():
    schedule = sparsity.ConstantSparsity(0.5, begin_step=0, frequency=100)
    pruned = trained(
        sparsity.prune_low_magnitude(network(), pruning_schedule=schedule), [sparsity.UpdatePruningStep()]
    )
    stripped = sparsity.strip_pruning(pruned)
    annotated = quantization.quantize_annotate_model(stripped)
    qat = quantization.quantize_apply(
        annotated, tfmot.experimental.combine.Default8BitPrunePreserveQuantizeScheme()
    )
    trained(qat)
    for name in ("conv", "fc"):
        before = stripped.get_layer(name).kernel.numpy() == 0
        assert (qat.get_layer(name).transformed("kernel").numpy()[before] == 0).all()
        assert before.mean() == 0.5
    te.convert(qat)


@pytest.mark.parametrize("per_channel", [False, True])
def test_clusters_and_zeros_through_quantization(per_channel):
    pruned = network()
    for name in ("conv", "fc"):
        kernel = pruned.get_layer(name).kernel
        kernel.assign(np.where(np.abs(kernel) < np.median(np.abs(kernel)), 0, kernel))
    clustered = cluster.cluster_weights(pruned, 4, preserve_sparsity=True, cluster_per_channel=per_channel)
    stripped = clustering.strip_clustering(clustered)
    annotated = quantization.quantize_annotate_model(stripped)
    scheme = tfmot.experimental.combine.Default8BitClusterPreserveQuantizeScheme(preserve_sparsity=True)
    qat = trained(quantization.quantize_apply(annotated, scheme))
    for name in ("conv", "fc"):
        before = stripped.get_layer(name).kernel.numpy()
        after = qat.get_layer(name).transformed("kernel").numpy()
        assert (after[before == 0] == 0).all()
        assert (before == 0).mean() >= 0.45
        if per_channel and name == "conv":
            assert max(np.unique(channel).size for channel in after.reshape(-1, 12).T) <= 4
        else:
            assert np.unique(after).size <= 4


def test_wrong_settings_are_named():
    with pytest.raises(ValueError, match="to_cluster must be a keras.Model"):
        cluster_weights("model", 4)
    with pytest.raises(ValueError, match="clusters must be an integer"):
        cluster_weights(network(), 1)
    with pytest.raises(AttributeError, match="ClusteringAlgorithm has no counterpart"):
        clustering.ClusteringAlgorithm  # noqa: B018
    with pytest.raises(ValueError, match="log_dir"):
        clustering.ClusteringSummaries(log_dir="")
    with pytest.warns(UserWarning, match="stays as it is: all its weights are equal"):
        cluster_weights(keras.layers.Dense(4, kernel_initializer="zeros"), 4).build((None, 4))
