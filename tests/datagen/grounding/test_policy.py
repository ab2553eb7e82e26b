"""A policy that cannot be met is refused with its numbers; line widths follow the picture's size."""

import pytest
from pydantic import ValidationError

from cologen.datagen.grounding.policy import GroundingPolicy, ReferringMix


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"mix": {"box": 0.5, "mask": 0.5, "instance": 0.5}}, "sum to 1"),
        ({"opacity": (0.7, 0.4)}, "0.7 to 0.4"),
        ({"line_width": (0.0, 0.01)}, "line_width"),
        ({"min_object_area": 0.5, "max_object_area": 0.2}, "0.5 exceeds"),
        ({"inverse": 0.1, "opacity": (0.5, 1.0)}, "opaque"),
        ({"colour": "red"}, "extra"),
    ],
)
def test_what_cannot_be_met_is_refused(settings: dict[str, object], said: str):
    with pytest.raises(ValidationError, match=said):
        GroundingPolicy.model_validate(settings)


def test_the_default_mix_is_thirds():
    assert ReferringMix() == ReferringMix(box=1 / 3, mask=1 / 3, instance=1 / 3)


def test_lines_are_as_wide_for_their_picture_at_every_size():
    policy = GroundingPolicy()
    assert [policy.line_pixels(policy.line_width[1], side, side) for side in (64, 512, 1024)] == [1, 6, 12]
    assert policy.line_pixels(0.001, 64, 64) == 1
