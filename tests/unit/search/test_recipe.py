import pytest

from tacit.ground.errors import ConfigError
from tacit.search.recipe import recipe_for
from tacit.signature.image import Image
from tacit.signature.outputs import Class

SIGNATURE = Image(8, 8, 1) >> Class("a", "b")


def test_overrides_are_taken_with_their_types():
    recipe = recipe_for(SIGNATURE, {"learning_rate": 1, "augment": ["flip"], "batch": 32}, examples=1000)
    assert recipe.learning_rate == 1.0
    assert isinstance(recipe.learning_rate, float)
    assert recipe.augment == ("flip",)
    assert recipe.batch == 32


def test_every_bad_override_is_named_at_once():
    with pytest.raises(ConfigError) as caught:
        recipe_for(SIGNATURE, {"lerning_rate": 0.1, "batch": "many", "augment": [1]}, examples=1000)
    assert str(caught.value).splitlines() == [
        "the training recipe has problems",
        "  - `train.lerning_rate` is not known: did you mean `learning_rate`?",
        "  - `train.batch` expected int, got 'many'",
        "  - `train.augment` expected tuple[str, ...] | None, got [1]",
    ]


def test_a_batch_is_never_larger_than_the_set():
    assert recipe_for(SIGNATURE, {}, examples=10).batch == 10
