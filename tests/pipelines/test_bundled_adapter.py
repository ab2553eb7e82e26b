"""What the bundled base and adapter draw from the pictures in ``examples``, read back without a network.

Of six pictures half have to be right, so that another CPU's rounding fails no test.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tyro
from PIL import Image

from cologen.evaluation.benchmarks.world_tasks.asking import shrunk
from cologen.evaluation.records import Picture
from cologen.evaluation.worldbench.mark_reading import read_mark
from cologen.evaluation.worldbench.reading import Reading, read
from cologen.model.adapter_index import read_index
from cologen.model.tasks import TASK_NAMES
from cologen.model.world_base import packaged_adapter, packaged_stage
from pipelines.generate import Options, main

PICTURES = Path(__file__).parents[2] / "examples" / "pictures"
NUM = 6


def pictures(tmp_path: Path, *arguments: str) -> list[Picture]:
    """The pictures of one command, on the CPU."""
    assert main([*arguments, "--out", str(tmp_path / "out.png"), "--num", str(NUM), "--device", "cpu"]) == 0
    return [opened(tmp_path / f"out-{number}.png") for number in range(NUM)]


def opened(path: Path) -> Picture:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def drawn(tmp_path: Path, *arguments: str) -> list[Reading]:
    """What is read in pictures of one command."""
    return [read(each, "simple") for each in pictures(tmp_path, *arguments)]


def things(reading: Reading) -> set[tuple[str | None, str]]:
    return {(each.shape, each.color) for each in reading.objects}


def assert_half_are_right(found: list[Reading], is_right: Callable[[Reading], bool]) -> None:
    assert sum(map(is_right, found)) >= NUM / 2, [(each.ground, things(each)) for each in found]


def given(name: str) -> tuple[str, str]:
    return "--image", str(PICTURES / f"{name}.png")


def test_it_has_a_stage_for_every_task_and_few_bytes() -> None:
    folder = packaged_adapter("world-tiny")
    assert folder is not None and packaged_adapter("world-small") is None
    assert sum(path.stat().st_size for path in folder.iterdir()) < 4 * 2**20
    index = read_index(folder)
    assert index["experts"] == len(index["routers"]) == len(TASK_NAMES)
    assert [packaged_stage(task) for task in TASK_NAMES] == index["routers"]


@pytest.mark.parametrize(
    ("more", "stage", "guidance"),
    [
        ((), 4, (1.5, "")),
        (("--stage", "1"), 1, (1.5, "")),
        (("--true-cfg", "1"), 4, (1.0, None)),
        (("--adapter", "DIR"), None, (1.5, "")),
        (("--bare",), None, (1.5, "")),
        (("--base", "DIR"), None, (1.0, None)),
    ],
)
def test_what_is_not_said_is_the_task_s_stage_and_guidance_for_a_small_base(
    more: tuple[str, ...], stage: int | None, guidance: tuple[float, str | None]
) -> None:
    arguments = ["--task", "edit", "--prompt", "Remove the ball.", *given("scene"), "--out", "out.png", *more]
    options = tyro.cli(Options, args=arguments)
    assert options.chosen_stage == stage
    assert options.guidance_against == guidance


def test_text_alone_draws_what_it_names(tmp_path: Path) -> None:
    found = drawn(tmp_path, "--prompt", "a red house on the left and a yellow star at the top, on the grass")
    expected = {("house", "red"), ("star", "yellow")}
    assert_half_are_right(found, lambda each: each.ground == "grass" and things(each) == expected)


def test_a_hole_is_filled_with_what_is_named(tmp_path: Path) -> None:
    words = "an orange heart at the bottom and a green ball at the top, floating on blue water"
    found = drawn(
        tmp_path, "--task", "inpaint", *given("scene"), "--mask", str(PICTURES / "hole.png"), "--prompt", words
    )
    assert_half_are_right(found, lambda each: things(each) == {("heart", "orange"), ("ball", "green")})


def test_the_named_object_is_framed_in_the_named_colour(tmp_path: Path) -> None:
    words = "Surround the orange heart with a rectangle in purple."
    found = pictures(tmp_path, "--task", "grounding", *given("scene"), "--prompt", words)
    source = shrunk(opened(PICTURES / "scene.png"), 32)
    (heart,) = (each.mask for each in read(source, "simple").objects if each.shape == "heart")
    rows, columns = np.nonzero(heart)
    box = np.zeros_like(heart)
    box[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] = True
    marks = [read_mark(each, source, "frame") for each in found]
    overlaps = [np.count_nonzero(mark.region & box) / np.count_nonzero(mark.region | box) for mark in marks]
    right = [mark.color == "purple" and iou >= 0.5 for mark, iou in zip(marks, overlaps, strict=True)]
    assert sum(right) >= NUM / 2, overlaps


def test_an_edit_changes_what_it_names_and_keeps_the_rest(tmp_path: Path) -> None:
    words = "Make the ball at the top black."
    found = drawn(tmp_path, "--task", "edit", *given("scene"), "--prompt", words)
    assert_half_are_right(found, lambda each: things(each) == {("ball", "black"), ("heart", "orange")})


def test_edges_become_the_scene_that_is_named(tmp_path: Path) -> None:
    words = "on the water, an orange house on the right and a purple ball"
    found = drawn(tmp_path, "--task", "control", *given("edges"), "--prompt", words)
    assert_half_are_right(found, lambda each: things(each) == {("house", "orange"), ("ball", "purple")})


def test_a_subject_whose_colour_no_word_says_comes_into_another_scene(tmp_path: Path) -> None:
    words = "the fish on the right and a red ball on the left, in the grass"
    found = drawn(tmp_path, "--task", "customized", *given("subject"), "--prompt", words)
    right = {("fish", "white"), ("ball", "red")}
    assert_half_are_right(found, lambda each: things(each) == right and each.ground == "grass")
