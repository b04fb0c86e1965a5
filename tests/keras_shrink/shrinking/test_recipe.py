import pytest

from keras_shrink.shrinking.recipe import Planned, Recipe, read_recipe
from keras_shrink.shrinking.training import Training

TEXT = """
[training]
epochs = 5
augment = "pictures"

[[steps]]
technique = "prune_channels"
parameters = 0.7
epochs = 2

[[steps]]
technique = "int4"
share = 0.9
max_accuracy_drop = 0.02
"""


def test_a_file_becomes_steps_and_training(tmp_path):
    (tmp_path / "recipe.toml").write_text(TEXT)
    assert read_recipe(tmp_path / "recipe.toml") == Recipe(
        (
            Planned("prune_channels", {"parameters": 0.7}, epochs=2),
            Planned("int4", {"share": 0.9}, max_accuracy_drop=0.02),
        ),
        Training(epochs=5, augment="pictures"),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steps = [", "recipe.toml is not TOML"),
        ("[budget]\nflash = 1", r"A recipe has \[training\] and \[\[steps\]\]. Received: budget"),
        ("[training]\nepoch = 1", r"\[training\] has epochs, .* Received: epoch in"),
        ("[[steps]]\nname = 'int4'", r"needs a technique, one of strips, .*Received: \['name'\]"),
        (
            "[[steps]]\ntechnique = 'distil'",
            "technique must be one of strips, .*Received: technique='distil'",
        ),
        ("[[steps]]\ntechnique = 'prune'\nshare = 1", "The step 'prune' takes sparsity. Received: share."),
        ("[[steps]]\ntechnique = 'factorize'", "'factorize' needs an amount: parameters, macs, energy"),
        ("[training]\nepochs = -1", "epochs must be an integer from 0"),
    ],
)
def test_what_is_not_known_is_named(tmp_path, text, message):
    (tmp_path / "recipe.toml").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_recipe(tmp_path / "recipe.toml")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no such file. Received: .*none.toml"):
        read_recipe(tmp_path / "none.toml")
