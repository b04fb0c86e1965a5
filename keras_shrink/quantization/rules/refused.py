"""Rules of layers that have no integer form, where the reason can name a way out."""

from __future__ import annotations

from keras import layers

from keras_shrink.quantization.rules.roles import Role, role

_REASONS = {
    "TFLite Micro has no integer operator over three dimensions; use layers over one or two": (
        layers.Conv3D,
        layers.Conv3DTranspose,
        layers.AveragePooling3D,
        layers.MaxPooling3D,
        layers.GlobalAveragePooling3D,
        layers.GlobalMaxPooling3D,
        layers.AdaptiveAveragePooling3D,
        layers.AdaptiveMaxPooling3D,
        layers.UpSampling3D,
        layers.ZeroPadding3D,
        layers.Cropping3D,
    ),
    "its windows may differ in size; use a pooling layer with a pool_size and strides": (
        layers.AdaptiveAveragePooling1D,
        layers.AdaptiveAveragePooling2D,
        layers.AdaptiveMaxPooling1D,
        layers.AdaptiveMaxPooling2D,
    ),
    "attention of this kind has no integer form here; use MultiHeadAttention": (
        layers.AdditiveAttention,
        layers.Attention,
        layers.GroupQueryAttention,
    ),
    "masks computed at run time have no integer form; train with sequences padded to one length": (
        layers.Masking,
    ),
}

for _reason, _kinds in _REASONS.items():
    for _kind in _kinds:
        role.register(_kind, lambda layer, reason=_reason: Role(reason=reason))
