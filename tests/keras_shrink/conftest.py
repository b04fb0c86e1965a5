"""Steps of training that Keras traces once."""

import keras
import pytest


@pytest.fixture(autouse=True, scope="module")
def traced_once():
    """Has optimizers make their variables before the first step.

    Keras leaves that to the first step, and TensorFlow traces a step in which variables were made once more:
    half of what a `fit` of a few steps costs. The documents, the notebooks and the demo run as Keras has it.
    """
    fit = keras.Model.fit

    def prepared_fit(model, *arguments, **settings):
        optimizer = getattr(model, "optimizer", None)
        if optimizer is not None and model.built and not optimizer.built:
            with model.distribute_strategy.scope():
                optimizer.build(model.trainable_variables)
        return fit(model, *arguments, **settings)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.Model, "fit", prepared_fit)
        yield
