"""The policy's defaults are the paper's numbers, and a policy that cannot be met is refused when it is made."""

from typing import Any

import pytest
from pydantic import ValidationError

from cologen.datagen.masks.policy import MaskMix, MaskPolicy
from cologen.datagen.masks.strokes import PRESETS


def test_the_defaults_are_the_papers():
    policy = MaskPolicy()
    assert policy.mix.model_dump() == {"random": 0.2, "object": 0.4, "irregular": 0.4}
    assert policy.max_object_iou == 0.3
    assert (policy.irregular.num_points, policy.irregular.points_on) == (20, "side")
    assert PRESETS[policy.random_preset] == PRESETS["train"]


def test_a_policy_survives_json():
    policy = MaskPolicy.model_validate(
        {
            "mix": {"random": 1 / 3, "object": 1 / 3, "irregular": 1 / 3},
            "random_preset": "thick",
            "irregular": {"bulge": 0.2, "points_on": "contour"},
            "dilation": 4,
        }
    )
    assert MaskPolicy.model_validate_json(policy.model_dump_json()) == policy
    assert hash(policy.model_copy()) == hash(policy) != hash(MaskPolicy())


def test_a_policy_is_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        MaskPolicy().tries = 3


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"mix": {"random": 0.5}}, r"sum to 1, got 0.5 \+ 0.4 \+ 0.4"),
        ({"mix": {"random": -0.2, "object": 0.8, "irregular": 0.4}}, "greater than or equal to 0"),
        ({"random_preset": "thinn"}, "no preset 'thinn'; there are train, thin"),
        ({"min_object_area": 0.5, "max_object_area": 0.1}, "min_object_area 0.5 exceeds max_object_area 0.1"),
        ({"irregular": {"num_points": 6, "points_on": "contour"}}, "multiple of 4"),
        ({"irregular": {"bulg": 0.2}}, "Unexpected keyword"),
        ({"max_iou": 0.3}, "Extra inputs"),
        ({"tries": 0}, "greater than or equal to 1"),
        ({"max_object_iou": 1.5}, "less than or equal to 1"),
        ({"dilation": -1}, "greater than or equal to 0"),
    ],
)
def test_what_cannot_be_met_is_refused_by_name(wrong: dict[str, Any], words: str):
    with pytest.raises(ValidationError, match=words):
        MaskPolicy.model_validate(wrong)


def test_shares_may_be_sums_of_floats():
    assert MaskMix(random=0.1, object=0.2, irregular=0.7).irregular == 0.7
    assert MaskMix(random=1.0, object=0.0, irregular=0.0).random == 1
