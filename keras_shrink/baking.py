"""Plain models out of wrapped ones: what a weight transform gives becomes the weight; and the way back."""

import keras

from keras_shrink.rebuild import rebuild
from keras_shrink.weights import Transformed


def bake(model):
    """Returns a plain copy of a model with transformed weights: each weight is what its layer computes with.

    Use it on a clustered model when training is over. The outputs are the same to the last bit, and the
    layers are ordinary Keras layers again. A quantized model has no plain form; export it with
    `tflite_export.convert`.

    Args:
        model: A Functional or Sequential model, as from `cluster`. It is not touched.

    Raises:
        ValueError: If a layer also transforms its outputs (a quantized model), or the model is subclassed.

    Example:
    >>> import keras_shrink as ks
    >>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4, name="fc")])
    >>> plain = bake(ks.cluster(model, 2))
    >>> len(set(plain.get_layer("fc").kernel.numpy().ravel()))
    2
    """
    plain = opened(model)[0]
    return rebuild(model) if plain is model else plain


def opened(model):
    """Returns a plain form of a model, and the weight transforms that its layers had.

    Args:
        model: As for `bake`.

    Returns:
        A copy, or the model itself where it is plain already, and a dict from `id(weight of the copy)` to
        its list of transforms, which are copies too.
    """
    if not any(isinstance(layer, Transformed) for layer in model._flatten_layers(include_self=False)):
        return model, {}
    pairs = []

    def exchange(copy, original):
        if not isinstance(original, Transformed):
            return copy
        if type(original).run_layer is not Transformed.run_layer or original.outputs_through:
            raise ValueError(
                "A model that rounds its activations has no plain form. "
                f"Received: model={model.name!r}, quantized at layer {original.name!r}. "
                "Export it with tflite_export.convert(model)."
            )
        pairs.append((original, copy))
        return copy.layer

    plain, transforms = rebuild(model, exchange), {}
    for original, copy in pairs:
        copy.layer.set_weights([keras.ops.convert_to_numpy(weight) for weight in original.layer.weights])
        copy.layer.trainable = original.layer.trainable
        for name, chain in copy.weight_transforms.items():
            variable = copy.variable(name)
            variable.assign(original.transformed(name))
            transforms[id(variable)] = chain
        for old, new in zip(original.transforms, copy.transforms, strict=True):
            new.set_weights([keras.ops.convert_to_numpy(weight) for weight in old.weights])
    return plain, transforms


def closed(model, chains):
    """Returns a copy of a plain model whose weights go through transforms: the inverse of `opened`.

    Args:
        model: A built Functional or Sequential model.
        chains: Dict from `id(weight)` to its list of transforms.
    """
    wrappers = []

    def exchange(copy, original):
        # Wrapped is the layer that the model calls; the weight may belong to one inside it.
        weights = {
            str(i): chains[id(variable)]
            for i, variable in enumerate(getattr(original, "weights", []))
            if id(variable) in chains
        }
        if not weights:
            return copy
        wrappers.append((Transformed(copy, weights=weights), original))
        return wrappers[-1][0]

    wrapped = rebuild(model, exchange)
    for wrapper, original in wrappers:
        wrapper.layer.set_weights([keras.ops.convert_to_numpy(weight) for weight in original.weights])
        for name in wrapper.weight_transforms:
            wrapper.variable(name).assign(wrapper.transformed(name))
    return wrapped
