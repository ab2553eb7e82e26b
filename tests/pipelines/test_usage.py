"""Every number that a command line takes is checked before anything is done: a wrong one is one message, and code 2."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Iterator
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

import pytest

from cologen.trainer import cli
from cologen.trainer.options import TrainOptions
from pipelines import (
    build_control,
    build_customized,
    build_editing,
    build_grounding,
    build_inpaint,
    build_world,
    encode_text,
    fetch_models,
    generate,
    train_on_ray,
    verify,
    view,
)

COMMANDS: dict[Any, tuple[Any, list[str]]] = {
    build_control.main: (build_control.ControlOptions, ["--src", "multigen"]),
    build_customized.main: (build_customized.CustomizedOptions, []),
    build_editing.main: (build_editing.EditingOptions, ["--src", "omniedit"]),
    build_grounding.main: (build_grounding.GroundingOptions, ["--src", "refcoco"]),
    build_inpaint.main: (build_inpaint.InpaintOptions, ["--src", "journeydb"]),
    build_world.main: (build_world.Options, ["--out", "world", "--scenes", "1"]),
    encode_text.main: (encode_text.EncodeTextOptions, []),
    fetch_models.main: (fetch_models.Options, []),
    generate.main: (generate.Options, ["--out", "out.png", "--prompt", "a cat"]),
    train_on_ray.main: (train_on_ray.RayTrainOptions, []),
    verify.main: (verify.VerifyOptions, ["folder"]),
    view.main: (view.ViewOptions, ["folder"]),
    cli.parsed: (TrainOptions, []),
}
ANY_NUMBER = {"min_score"}
"""May be below 0."""
ANY_SEED = {build_world.main: "seed", view.main: "seed"}


class Wrong(NamedTuple):
    """An option of a command with what it cannot take."""

    main: Any
    given: list[str]
    name: str
    value: str

    def __str__(self) -> str:
        return f"{self.main.__module__}-{self.name}-{self.value}"


def fields_of(options: Any) -> Iterator[tuple[str, Any]]:
    """Each option's name as a field, and its type; those of nested options too."""
    hints = get_type_hints(options)
    for field in dataclasses.fields(options):
        hint = hints[field.name]
        if dataclasses.is_dataclass(hint):
            yield from fields_of(hint)
        else:
            yield field.name, hint


def kinds_of(hint: Any) -> set[Any]:
    if get_origin(hint) in (Union, types.UnionType):
        return set[Any]().union(*(kinds_of(each) for each in get_args(hint)))
    return {hint}


def wrong_ones() -> Iterator[Wrong]:
    for main, (options, given) in COMMANDS.items():
        for name, hint in fields_of(options):
            option = f"--{name.replace('_', '-')}"
            kinds = kinds_of(hint) & {int, float}
            if not kinds:
                continue
            if name not in ANY_NUMBER and ANY_SEED.get(main) != name:
                yield Wrong(main, given, option, "-1")
            if float in kinds:
                yield Wrong(main, given, option, "nan")


WRONG = list(wrong_ones())


def test_all_commands_are_looked_at() -> None:
    assert len(WRONG) > 80
    names = {wrong.name for wrong in WRONG}
    assert {"--part-size", "--actors", "--gpus-per-actor", "--nms-iou", "--control-gpus", "--seed"} <= names


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_numbers_that_cannot_be_are_wrong_usage(wrong: Wrong, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        wrong.main([*wrong.given, wrong.name, wrong.value])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert wrong.name.rpartition("-")[2] in said.replace("_", "-")
    assert wrong.value in said
    assert "Unrecognized" not in said and "Traceback" not in said


@pytest.mark.parametrize(
    ("main", "given", "words"),
    [
        (build_inpaint.main, ["--actors", "0"], "--actors must be at least 1"),
        (build_inpaint.main, ["--part-size", "0"], "--part-size must be at least 1"),
        (build_inpaint.main, ["--gpus-per-actor", "1.5"], "less to share one, or a whole number"),
        (build_inpaint.main, ["--device", "tpu"], "--device must be auto, cpu or cuda, got 'tpu'"),
        (
            build_inpaint.main,
            ["--dino-config", "a.py"],
            "--dino-config, --dino-checkpoint and --sam-checkpoint together",
        ),
        (build_inpaint.main, ["--max-object-iou", "7"], "max_object_iou: Input should be less than or equal to 1"),
        (build_inpaint.main, ["--mix", "1", "1", "1"], "shares must sum to 1"),
        (build_inpaint.main, ["--scene-size", "31"], "--scene-size must be at least 32 and at most 1024"),
        (
            build_inpaint.main,
            ["--root", "/data", "--scenes", "3"],
            "--scenes is of no use without the synthetic dataset",
        ),
        (
            build_inpaint.main,
            ["--address", "auto", "--cpus", "3"],
            "--cpus is of no use without a cluster of this machine alone",
        ),
        (build_inpaint.main, ["--root", "/data", "--scene-size", "64"], "--scene-size is of no use without"),
        (build_inpaint.main, ["--actors", "2"], "--actors is of no use without the three files"),
        (build_inpaint.main, ["--nms-iou", "0.4"], "--nms-iou is of no use without the three files"),
        (build_world.main, ["--archives", "--layouts", "lvis"], "--archives is of no use without journeydb"),
        (build_control.main, ["--hed-weights", "a.pth"], "--hed-weights is of no use without --precompute"),
        (build_control.main, ["--actors", "2"], "--actors is of no use without maps drawn now"),
        (view.main, ["--columns", "3"], "--columns is of no use without --sheet"),
        (view.main, ["--sheet", "sheet.psd"], "a picture cannot be written as PSD"),
        (generate.main, ["--base", "flux", "--preset", "world-small"], "--preset is of no use without"),
        (build_grounding.main, ["--variants", "0"], "--variants must be at least 1"),
        (build_control.main, ["--device", "tpu"], "--device must be auto, cpu or cuda"),
        (build_control.main, ["--mix", "nan", "1", "0", "0", "0"], "five shares that sum to 1"),
        (build_customized.main, ["--min-change", "256"], "min_change: Input should be less than or equal to 255"),
        (build_editing.main, ["--min-score", "inf"], "--min-score must be a finite number"),
        (verify.main, ["--workers", "0"], "--workers must be at least 1"),
        (train_on_ray.main, ["--workers", "0"], "--workers must be at least 1"),
        (train_on_ray.main, ["--gpus-per-worker", "1.5"], "less to share one, or a whole number"),
        (train_on_ray.main, ["--cpus-per-worker", "0"], "--cpus-per-worker must be above 0"),
    ],
)
def test_what_does_not_hold_is_said(
    main: Any, given: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*COMMANDS[main][1], *given])
    assert ended.value.code == 2
    assert words in " ".join(capsys.readouterr().err.replace("│", " ").split())
