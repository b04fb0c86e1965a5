"""`cluster`: weights share a few values, and these values train."""

import warnings
from collections.abc import Mapping

import keras
import numpy as np

from keras_shrink import select
from keras_shrink.baking import closed
from keras_shrink.clustering.kmeans import STARTS, find_centroids, nearest
from keras_shrink.rebuild import check_rebuildable
from keras_shrink.weights import SharedValues, Transformed

_LARGEST = 65536


def cluster(
    model,
    clusters=16,
    *,
    layers=select.has_kernel,
    per_channel=False,
    start="linear",
    keep_zeros=True,
    seed=0,
    strict=False,
):
    """Returns a copy of a model whose kernels have few different values each, found by k-means.

    A weight becomes an index of `log2(clusters)` bits into a table of shared values; `coding_report` says
    what that saves. Fine-tune the copy with `fit`: the assignment stays, and the values train, each with the
    sum of the gradients of its weights. `quantize` keeps the sharing, and `bake` makes a plain model of it.
    A kernel that has no more than `clusters` values already keeps them, so a model that was clustered, baked
    and loaded is taken up as it was.

    A kernel stays as it is, with a warning that says why, where a table would cost more than it saves, where
    it is frozen, or where all its weights are equal. Biases and normalizations are never clustered.

    Args:
        model: A built Functional or Sequential model, usually trained. It is not touched.
        clusters: Number of values, from 2 to 65536, or mapping from a choice of layers to one; a kernel
            follows the first entry that chooses it. Defaults to 16.
        layers: Predicate, function `layer -> bool`, layer, or list of layers. By default every layer with a
            kernel.
        per_channel: Whether each channel out has a table of its own, or the layers where it has, as for
            `layers`. It fits the weights better, costs more tables, and is the form that goes with
            BatchNormalization behind the layer: quantization gives each channel a scale. Defaults to False.
        start: Where k-means starts: `"linear"`, `"density"` or `"k-means++"`. Defaults to `"linear"`, which
            meets the few large weights best.
        keep_zeros: Whether weights that are exactly zero (pruned) stay so; where there are any, zero is one
            of the values. Defaults to True.
        seed: Of the draws of `"k-means++"`.
        strict: Whether a kernel that stays as it is raises an error instead of a warning.

    Returns:
        A model with the same layer names. If `model` was compiled, it is compiled alike.

    Raises:
        ValueError: If a choice is out of range, no kernel can be clustered, a weight is not finite, or the
            model is subclassed, has no shapes yet or is clustered or quantized already; with `strict`, if a
            chosen kernel stays as it is.

    Example:
    >>> import keras_shrink as ks
    >>> model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(10, name="fc")])
    >>> model.compile("sgd", "mse")
    >>> clustered = cluster(model, 4)
    >>> _ = clustered.fit(np.ones((32, 64)), np.ones((32, 10)), verbose=0)
    >>> len(set(ks.bake(clustered).get_layer("fc").kernel.numpy().ravel()))
    4

    Reference:
        Han et al., 2016, arXiv:1510.00149, section 3.
    """
    check_rebuildable(model)
    if start not in STARTS:
        raise ValueError(f"start must be one of {STARTS}. Received: start={start!r}.")
    wanted = _wanted(model, clusters, layers)
    generator = np.random.default_rng(seed)
    has_tables = _has_tables(per_channel)
    chains, kept = {}, {}
    for kernel, count in wanted:
        axis = kernel.output_axis if has_tables(kernel.path) else None
        value = keras.ops.convert_to_numpy(kernel.variable).astype(np.float32)
        reason = why_not(kernel, value, count, axis)
        if reason:
            kept[kernel.name] = reason
        else:
            shared = shared_values(value, count, axis, start, keep_zeros, generator)
            chains[id(kernel.variable)] = [shared]
    _report(kept, chains, strict)
    return closed(model, chains)


def _has_tables(per_channel):
    """Returns the test whether the kernel at a path of layers has a table for each channel."""
    if isinstance(per_channel, bool):
        return lambda path: per_channel
    return select.as_predicate(per_channel).on_path


def _wanted(model, clusters, layers):
    """Returns the kernels chosen, each with its number of values."""
    if any(isinstance(layer, Transformed) for layer in model._flatten_layers(include_self=False)):
        raise ValueError(
            f"The model is clustered or quantized already. Received: model={model.name!r}. "
            "Cluster the plain one: keras_shrink.bake(model) makes it of a clustered one."
        )
    limit = select.as_predicate(layers)
    choices = clusters.items() if isinstance(clusters, Mapping) else [(limit, clusters)]
    wanted, taken = [], set()
    for choice, count in choices:
        if isinstance(count, bool) or not isinstance(count, int) or not 2 <= count <= _LARGEST:
            raise ValueError(
                f"clusters must be an integer from 2 to {_LARGEST}. Received: clusters={count!r}."
            )
        for kernel in select.find_kernels(model, limit & select.as_predicate(choice)):
            if id(kernel.variable) not in taken:
                taken.add(id(kernel.variable))
                wanted.append((kernel, count))
    if not wanted:
        there = [kernel.name for kernel in select.find_kernels(model)]
        raise ValueError(
            f"No layer to cluster was chosen. Received: layers={limit}. Layers with a kernel: {there}."
        )
    return wanted


def why_not(kernel, value, count, axis):
    """Returns why a kernel stays as it is, or None.

    Args:
        kernel: The `select.Kernel`.
        value: Its value, a float32 array.
        count: Number of values wanted.
        axis: Axis whose channels get a table each, or None.
    """
    if not np.isfinite(value).all():
        raise ValueError(
            f"Weights must be finite to be clustered. Received: {kernel.name} with "
            f"{int((~np.isfinite(value)).sum())} weights that are not."
        )
    if kernel.frozen:
        return "frozen"
    if any(len(node.arguments.args) != 1 for layer in kernel.path for node in layer._inbound_nodes):
        return "its layer is called with several inputs"
    if value.min() == value.max():
        return "all its weights are equal"
    tables = 1 if axis is None else value.shape[axis]
    if count * tables * 32 + value.size * (count - 1).bit_length() >= value.size * 32:
        of_what = "values" if axis is None else f"values for each of {tables} channels"
        return f"a table of {count} {of_what} would cost more than its {value.size} weights"
    return None


def _report(kept, chains, strict):
    if not kept:
        return
    lines = "\n".join(f"  {name}: {reason}" for name, reason in kept.items())
    if not chains:
        raise ValueError(f"None of the kernels chosen can be clustered:\n{lines}")
    if strict:
        raise ValueError(f"{len(kept)} kernel(s) cannot be clustered:\n{lines}")
    warnings.warn(f"{len(kept)} kernel(s) stay as they are:\n{lines}", UserWarning, stacklevel=3)


def shared_values(value, count, axis, start, keep_zeros, generator):
    """Returns the `SharedValues` of one kernel.

    Args:
        value: Float32 array.
        count: Number of values.
        axis: Axis whose channels get a table each, or None.
        start: Where k-means starts.
        keep_zeros: Whether zeros stay zero.
        generator: `numpy.random.Generator`.

    Example:
    >>> values = np.array([[0.0, 0.1], [1.0, 1.1]], np.float32)
    >>> shared_values(values, 2, None, "linear", False, None).table.numpy().round(2)
    array([0.05, 1.05], dtype=float32)
    """
    zeros = keep_zeros and bool((value == 0).any())
    rows = (
        value.reshape(1, -1) if axis is None else np.moveaxis(value, axis, 0).reshape(value.shape[axis], -1)
    )
    tables = np.zeros((len(rows), count), np.float32)
    index = np.zeros(rows.shape, np.int32)
    for table, row, places in zip(tables, rows, index, strict=True):
        free = row != 0 if zeros else np.ones(row.shape, bool)
        if not free.any():
            continue
        centroids = find_centroids(row[free], count - zeros, start=start, generator=generator)
        centroids = centroids.astype(np.float32)
        table[int(zeros) : int(zeros) + len(centroids)] = centroids
        places[free] = nearest(row[free], centroids) + zeros
    used = int(index.max()) + 1
    if axis is None:
        return SharedValues(tables[0, :used], index.reshape(value.shape), zero_first=zeros)
    others = [n for i, n in enumerate(value.shape) if i != axis]
    index = np.moveaxis(index.reshape(value.shape[axis], *others), 0, axis)
    return SharedValues(tables[:, :used], index, axis=axis, zero_first=zeros)
