import re

import pytest

from keras_shrink.analysis.causes import Symptoms, explain


@pytest.mark.parametrize(
    ("seen", "cause", "remedy"),
    [
        (Symptoms(weight_error=1, per_tensor=True, weight_spread=9), "per-tensor weights", "equalize"),
        (Symptoms(weight_error=1, weight_spread=9), "rounding noise of the weights", "learn_rounding"),
        (Symptoms(weight_error=1, input_spread=9, shifted=0.7), "weights of wide range over in", "equalize"),
        (Symptoms(weight_error=1, shifted=0.7), r"shifted means \(70%", "correct_bias"),
        (Symptoms(activation_error=1, clips_at_six=True, stuck=0.5), "dying ReLU6", "prune_channels"),
        (Symptoms(activation_error=1, joins=5), "concatenation", "normalize the branches"),
        (Symptoms(activation_error=1, outlier=5), "outliers in the activations", "mse"),
        (Symptoms(activation_error=1, channel_spread=9), "wide channel range", "equalize"),
        (Symptoms(activation_error=1), "rounding noise", "train with quantize"),
        (Symptoms(), "rounding noise", "higher precision"),
    ],
)
def test_each_symptom_has_its_cause_and_remedy(seen, cause, remedy):
    found, treatment = explain(seen)
    assert re.match(cause, found)
    assert remedy in treatment
