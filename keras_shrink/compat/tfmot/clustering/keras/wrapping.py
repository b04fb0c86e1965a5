"""`cluster_weights` for models and for layers, and the way back."""

import abc
import enum
import warnings

import keras
import numpy as np

from keras_shrink import bake, cluster, select
from keras_shrink.clustering.cluster import shared_values, why_not
from keras_shrink.compat.tfmot.wrappers import inner_classes
from keras_shrink.weights import Transformed


class CentroidInitialization(enum.StrEnum):
    """Where k-means starts. `RANDOM` draws as `KMEANS_PLUS_PLUS` does.

    Example:
    >>> CentroidInitialization.LINEAR.start
    'linear'
    """

    LINEAR = "CentroidInitialization.LINEAR"
    RANDOM = "CentroidInitialization.RANDOM"
    DENSITY_BASED = "CentroidInitialization.DENSITY_BASED"
    KMEANS_PLUS_PLUS = "CentroidInitialization.KMEANS_PLUS_PLUS"

    @property
    def start(self):
        """The native name."""
        return {"LINEAR": "linear", "DENSITY_BASED": "density"}.get(self.name, "k-means++")


class ClusterableLayer(abc.ABC):
    """A layer of one's own that says which of its weights are clustered.

    `get_clusterable_algorithm` is not asked: there is one way to assign weights to values.

    Example:
    >>> class Mine(keras.layers.Dense, ClusterableLayer):
    ...     def get_clusterable_weights(self):
    ...         return [("kernel", self.kernel)]
    >>> layer = Mine(2)
    >>> layer.build((None, 4))
    >>> [weight.name for weight in select.kernels(layer)]
    ['kernel']
    """

    @abc.abstractmethod
    def get_clusterable_weights(self):
        """Returns pairs of a name and a variable, as a list."""


select.kernels.register(
    ClusterableLayer, lambda layer: [variable for _, variable in layer.get_clusterable_weights()]
)


@keras.saving.register_keras_serializable("keras_shrink")
class ClusterWeights(Transformed):
    """A layer whose kernels get shared values when it is built.

    Args:
        layer: The layer. Where it has trained weights, these are clustered.
        clusters: Number of values.
        start: Where k-means starts.
        keep_zeros: Whether zeros stay zero.
        per_channel: Whether each channel out has a table.
        **kwargs: As for `Transformed`.
    """

    def __init__(self, layer, *, clusters=16, start="linear", keep_zeros=False, per_channel=False, **kwargs):
        super().__init__(layer, **kwargs)
        self.settings = {
            "clusters": clusters,
            "start": start,
            "keep_zeros": keep_zeros,
            "per_channel": per_channel,
        }
        if getattr(layer, "_input_shape_arg", None) is not None:
            self._input_shape_arg = layer._input_shape_arg  # as the first layer of a Sequential model

    def build(self, input_shape=None):
        """Builds the layer and finds the values."""
        if not self.layer.built:
            self.layer.build(input_shape)
            self.layer.built = True
        if not self.transforms:
            self._find_values()
        super().build(input_shape)
        for name in self.weight_transforms:
            self.variable(name).assign(self.transformed(name))

    def _find_values(self):
        count, generator = self.settings["clusters"], np.random.default_rng(0)
        positions = {id(weight): str(i) for i, weight in enumerate(self.layer.weights)}
        for kernel in select.find_kernels(self.layer):
            value = keras.ops.convert_to_numpy(kernel.variable).astype(np.float32)
            axis = kernel.output_axis if self.settings["per_channel"] else None
            if reason := why_not(kernel, value, count, axis):
                warnings.warn(f"{self.name} stays as it is: {reason}.", stacklevel=2)
                continue
            values = shared_values(
                value, count, axis, self.settings["start"], self.settings["keep_zeros"], generator
            )
            values.autocast = False
            self.transforms.append(values)
            self._chain_lengths[positions[id(kernel.variable)]] = 1

    def get_config(self):
        """As `Transformed`, and the settings."""
        return {**super().get_config(), **self.settings}


def cluster_scope():
    """Returns the scope in which a clustered model is loaded; Keras 3 finds the classes without it as well.

    Example:
    >>> with cluster_scope():
    ...     pass
    """
    return keras.saving.custom_object_scope({"ClusterWeights": ClusterWeights})


def cluster_weights(
    to_cluster,
    number_of_clusters,
    cluster_centroids_init=CentroidInitialization.KMEANS_PLUS_PLUS,
    preserve_sparsity=False,
    cluster_per_channel=False,
    **kwargs,
):
    """Returns a model, a layer or a list of layers with few different weights.

    Natively this is `keras_shrink.cluster`.
    Depthwise kernels stay as they are. The assignment of weights to values is made once and stays; the
    values train.

    Args:
        to_cluster: A built Functional or Sequential model, a layer, or a list of layers.
        number_of_clusters: Number of values in each kernel.
        cluster_centroids_init: A `CentroidInitialization`.
        preserve_sparsity: Whether zeros stay zero.
        cluster_per_channel: Whether each channel out of a Conv2D has a table of its own.
        **kwargs: For the wrapper, where a layer is given.

    Raises:
        ValueError: If `to_cluster` is none of these, or a setting is out of range.

    Example:
    >>> model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(10, name="fc")])
    >>> clustered = cluster_weights(model, 4, CentroidInitialization.LINEAR)
    >>> len(np.unique(strip_clustering(clustered).get_layer("fc").kernel))
    4
    """
    start = CentroidInitialization(cluster_centroids_init).start
    settings = {"preserve_sparsity": preserve_sparsity, "cluster_per_channel": cluster_per_channel}
    if isinstance(to_cluster, list):
        return [
            cluster_weights(layer, number_of_clusters, cluster_centroids_init, **settings)
            for layer in to_cluster
        ]
    if isinstance(to_cluster, ClusterWeights | keras.layers.InputLayer):
        return to_cluster
    if isinstance(to_cluster, keras.Model):
        with inner_classes(to_cluster):
            return cluster(
                to_cluster,
                number_of_clusters,
                layers=~select.by_class(keras.layers.DepthwiseConv2D),
                start=start,
                per_channel=select.by_class(keras.layers.Conv2D) if cluster_per_channel else False,
                keep_zeros=preserve_sparsity,
            )
    if isinstance(to_cluster, keras.layers.Layer):
        return ClusterWeights(
            to_cluster,
            clusters=number_of_clusters,
            start=start,
            keep_zeros=preserve_sparsity,
            per_channel=cluster_per_channel and isinstance(to_cluster, keras.layers.Conv2D),
            **kwargs,
        )
    raise ValueError(
        "to_cluster must be a keras.Model, a layer or a list of layers of Keras 3. "
        f"Received: to_cluster={to_cluster!r} of type {type(to_cluster)}."
    )


def strip_clustering(model):
    """Returns a plain copy of a clustered model, values and layer names kept; natively `keras_shrink.bake`.

    Args:
        model: A model from `cluster_weights`, or with layers from it.

    Example:
    >>> model = keras.Sequential([keras.Input((8,)), cluster_weights(keras.layers.Dense(8, name="fc"), 2)])
    >>> len(np.unique(strip_clustering(model).get_layer("fc").kernel))
    2
    """
    with inner_classes(model):
        return bake(model)
