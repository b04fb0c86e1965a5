import keras
import pytest


@pytest.fixture(autouse=True)
def same_start():
    keras.utils.set_random_seed(0)
