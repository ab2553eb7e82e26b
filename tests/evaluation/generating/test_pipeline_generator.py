"""The real pipeline answers questions: the same alone and in a batch, earlier prompts first, settings by precedence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from cologen.evaluation.generating.asking import (
    Asked,
    NotFiniteError,
    PipelineGenerator,
    SamplingSettings,
    open_generator,
)
from cologen.evaluation.records import Question
from cologen.model.opening import PipelineSpec
from tests.evaluation import toy

SETTINGS = {"num_inference_steps": 2}


@pytest.fixture(scope="module")
def generator() -> PipelineGenerator:
    return open_generator(PipelineSpec(), SETTINGS)


def _asked(name: str, prompt: str = "make the ball blue", **more: object) -> Asked:
    source = np.kron(toy.picture(name), np.ones((2, 2, 1), dtype=np.uint8))
    question = Question(task="editing", prompt=prompt, pictures=(source,), width=32, height=32)
    return Asked(question=replace(question, **more), seed=len(name))


def test_a_batch_gives_what_each_question_gives_alone(generator: PipelineGenerator) -> None:
    batch = [_asked("a"), _asked("bb"), _asked("ccc")]
    together = generator(batch)
    alone = [generator([asked])[0] for asked in batch]
    assert all((np.asarray(one) == other).all() for one, other in zip(together, alone, strict=True))
    assert not (np.asarray(together[0]) == together[1]).all()


def test_a_question_that_the_pipeline_refuses_costs_no_other(generator: PipelineGenerator) -> None:
    refused = Asked(question=Question(task="inpaint", prompt="", pictures=(toy.picture("a"),)), seed=0)
    found = generator([_asked("a"), refused])
    assert isinstance(found[1], ValueError)
    assert "mask" in str(found[1])
    assert isinstance(found[0], np.ndarray)


def test_earlier_prompts_are_applied_first(generator: PipelineGenerator) -> None:
    both = generator([_asked("a", "turn it red", earlier=("make the ball blue",))])[0]
    assert isinstance(both, np.ndarray)
    assert not (both == generator([_asked("a", "turn it red")])[0]).all()


def test_text_to_image_and_a_subject_are_questions_too(generator: PipelineGenerator) -> None:
    text = Question(task=None, prompt="a red ball", width=16, height=16)
    subject = Question(task="customized", prompt="a red ball", pictures=(toy.picture("a"),), width=32, height=16)
    made = generator([Asked(question=text, seed=1), Asked(question=subject, seed=1)])
    assert [np.asarray(each).shape for each in made] == [(16, 16, 3), (16, 32, 3)]


def test_what_is_not_finite_is_no_picture() -> None:
    """Cast to 8 bits, NaN would be black, and be scored as an answer."""
    generator = open_generator(PipelineSpec(), SETTINGS)
    with torch.no_grad():
        next(generator.pipeline.transformer.proj_out.parameters()).fill_(float("nan"))
    (made,) = generator([_asked("a")])
    assert isinstance(made, NotFiniteError)
    assert made.reason == "not_finite"


def test_settings_go_before_the_protocol() -> None:
    protocol = {"num_inference_steps": 20.0, "true_cfg_scale": 7.5}
    assert SamplingSettings().over(protocol) == {"num_inference_steps": 20, "true_cfg_scale": 7.5}
    assert SamplingSettings(num_inference_steps=4, guidance_scale=3.0).over(protocol) == {
        "num_inference_steps": 4,
        "true_cfg_scale": 7.5,
        "guidance_scale": 3.0,
    }
