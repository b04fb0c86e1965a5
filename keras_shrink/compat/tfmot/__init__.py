"""The calls of tensorflow-model-optimization for Keras 3 models, as a thin layer over this package's own.

    from keras_shrink.compat import tfmot

Names and arguments are those of that package, so that a script moves over by this line and by `keras` in the
place of `tf_keras`. What the calls give is what `GradualPruning`, `cluster` and `quantize` give; a new script
is shorter with these.
"""

from keras_shrink.compat.tfmot import clustering, experimental, quantization, sparsity

__all__ = ["clustering", "experimental", "quantization", "sparsity"]
