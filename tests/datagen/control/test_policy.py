"""Shares of conditions sum to 1, and those of nothing are not asked for."""

import pytest
from pydantic import ValidationError

from cologen.datagen.control.policy import ANYWHERE, KINDS, ConditionMix, ControlPolicy


def test_equal_shares_are_of_what_can_be_had() -> None:
    mix = ConditionMix.equal(ANYWHERE | {"depth"})
    assert mix.shares() == {"canny": 0.25, "depth": 0.25, "hed": 0.25, "lineart": 0.25}
    assert ConditionMix.equal(KINDS) == ConditionMix()


def test_other_sums_are_refused() -> None:
    with pytest.raises(ValidationError, match="sum to 1"):
        ConditionMix(canny=0.5)


def test_a_policy_comes_back_from_its_recipe() -> None:
    policy = ControlPolicy(mix=ConditionMix.equal(["depth"]), max_stretch=0.5)
    assert ControlPolicy.model_validate_json(policy.model_dump_json()) == policy
