"""Rules of layers that pick, move or average values, and of those that do nothing in inference."""

from __future__ import annotations

from keras import layers

from keras_shrink.quantization.average_forms import AveragedWindows
from keras_shrink.quantization.merge_forms import NearestUpSampling
from keras_shrink.quantization.rules.roles import Role, checked, role
from keras_shrink.weights import Transformed


def _same_range(layer) -> Role:
    return checked(layer, Role(same_range=True))


@role.register(layers.GlobalAveragePooling2D)
@role.register(layers.GlobalAveragePooling1D)
def _(layer):
    return checked(layer, Role(rounds_before_joins=True))


for _kind in (
    layers.MaxPooling1D,
    layers.MaxPooling2D,
    layers.GlobalMaxPooling1D,
    layers.GlobalMaxPooling2D,
    layers.ZeroPadding1D,
    layers.ZeroPadding2D,
    layers.Cropping1D,
    layers.Cropping2D,
    layers.Flatten,
    layers.Reshape,
    layers.Permute,
):
    role.register(_kind, _same_range)


@role.register(layers.AveragePooling1D)
@role.register(layers.AveragePooling2D)
def _(layer):
    return checked(layer, Role(same_range=True, form=AveragedWindows))


@role.register(layers.UpSampling1D)
@role.register(layers.UpSampling2D)
def _(layer):
    interpolation = getattr(layer, "interpolation", "nearest")
    if interpolation not in ("nearest", "bilinear"):
        return Role(
            reason=f"its interpolation {interpolation} has no integer form (nearest and bilinear have)"
        )
    form = NearestUpSampling if interpolation == "nearest" else Transformed
    return checked(layer, Role(same_range=True, form=form))


@role.register(layers.RepeatVector)
def _(layer):
    return Role(same_range=True, form=NearestUpSampling)


def _identity(layer) -> Role:
    return Role(same_range=True, is_identity=True)


for _kind in (
    layers.Dropout,
    layers.SpatialDropout1D,
    layers.SpatialDropout2D,
    layers.AlphaDropout,
    layers.GaussianNoise,
    layers.GaussianDropout,
    layers.ActivityRegularization,
    layers.Identity,
    layers.RandomFlip,
    layers.RandomRotation,
    layers.RandomTranslation,
    layers.RandomZoom,
    layers.RandomContrast,
    layers.RandomBrightness,
):
    role.register(_kind, _identity)
