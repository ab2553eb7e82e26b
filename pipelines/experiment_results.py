"""All figures of an experiment as one file, ``results.json``, which another machine's run can take in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cologen.evaluation.settings import in_words
from cologen.model.files import write_atomically
from cologen.trainer.recipes.curriculum import Recipe
from pipelines.experiment_figures import RunFigures
from pipelines.experiment_plan import ExperimentRun

_FORMAT = "cologen-experiment/1"


def write_figures(path: Path, runs: Sequence[RunFigures], measuring: Mapping[str, Any]) -> None:
    """Write every figure of every run, and how they were measured."""
    whole = {"format": _FORMAT, "measuring": dict(measuring), "runs": [_plain(each) for each in runs]}
    write_atomically(path, (json.dumps(whole, indent=1) + "\n").encode())


def read_figures(path: Path, planned: Sequence[ExperimentRun], measuring: Mapping[str, Any]) -> list[RunFigures]:
    """The runs of a file that was written elsewhere, to stand beside the ``planned`` ones.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds no figures, or such as were measured otherwise, or a run of another recipe, or one that is
            planned here.
    """
    try:
        whole = json.loads(path.read_bytes())
        if whole["format"] != _FORMAT:
            raise ValueError(f"format {whole['format']!r}, expected {_FORMAT!r}")  # noqa: TRY301, named once, below
        runs = [_read(each) for each in whole["runs"]]
        words = in_words(whole["measuring"], measuring)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} holds no results of an experiment: {error}") from error
    if words:
        raise ValueError(f"{path} was measured otherwise ({words})")
    recipes = {each.row: each.recipe for each in planned}
    here = {(each.row, each.recipe.seed) for each in planned}
    for each in runs:
        row, recipe = each.run.row, each.run.recipe
        if (row, recipe.seed) in here:
            raise ValueError(f"{path} holds {row} of seed {recipe.seed}, which is of this experiment's own runs too")
        if row in recipes and recipes[row].replace(seed=recipe.seed) != recipe:
            raise ValueError(f"{path} holds {row}, trained by another recipe than here")
    return runs


def _plain(figures: RunFigures) -> dict[str, object]:
    return {
        "row": figures.run.row,
        "sweep": figures.run.sweep,
        "recipe": figures.run.recipe.model_dump(mode="json"),
        "figures": [
            {"stage": stage, "task": task, "metric": metric, "value": value}
            for (stage, task, metric), value in figures.figures.items()
        ],
        "losses": dict(figures.losses),
        "usage": [
            {"stage": stage, "task": task, "experts": list(shares)} for (stage, task), shares in figures.usage.items()
        ],
        "samples": figures.samples,
        "seconds": figures.seconds,
    }


def _read(plain: Mapping[str, Any]) -> RunFigures:
    recipe = Recipe.model_validate(plain["recipe"])
    return RunFigures(
        run=ExperimentRun(row=plain["row"], sweep=plain["sweep"], recipe=recipe),
        figures={(each["stage"], each["task"], each["metric"]): each["value"] for each in plain["figures"]},
        losses=plain["losses"],
        usage={(each["stage"], each["task"]): each["experts"] for each in plain["usage"]},
        samples=plain["samples"],
        seconds=plain["seconds"],
    )
