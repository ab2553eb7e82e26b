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
from pipelines.experiment_plan import ExperimentRun, same_training

_FORMAT = "cologen-experiment/1"


def write_figures(path: Path, runs: Sequence[RunFigures], identity: Mapping[str, Any]) -> None:
    """Write every figure of every run, and ``Setting.identity``, which says of what experiment they are."""
    whole = {"format": _FORMAT, **identity, "runs": [_plain(each) for each in runs]}
    write_atomically(path, (json.dumps(whole, indent=1) + "\n").encode())


def read_figures(
    paths: Sequence[Path],
    planned: Sequence[ExperimentRun],
    chosen: Sequence[ExperimentRun],
    identity: Mapping[str, Any],
) -> list[RunFigures]:
    """The runs of files that were written elsewhere, to stand beside those ``chosen`` here of the ``planned`` ones.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: one holds no figures, or those of another experiment, or such as were measured otherwise, or a run
            of another recipe, or one that is there twice.
    """
    recipes = {each.row: each.recipe for each in planned}
    seen = {(each.row, each.recipe.seed): "of this experiment's own runs" for each in chosen}
    found: list[RunFigures] = []
    for path in paths:
        whole = _opened(path)
        runs = whole.pop("runs")
        if words := in_words({key: value for key, value in whole.items() if key != "format"}, identity):
            raise ValueError(f"{path} is of another experiment, or was measured otherwise ({words})")
        for each in runs:
            row, recipe = each.run.row, each.run.recipe
            if row not in recipes or not same_training(recipes[row].replace(seed=recipe.seed), recipe):
                raise ValueError(f"{path} holds {row}, trained by another recipe than is planned here")
            if (row, recipe.seed) in seen:
                raise ValueError(f"{path} holds {row} of seed {recipe.seed}, which is {seen[row, recipe.seed]} too")
            seen[row, recipe.seed] = f"in {path}"
            found.append(each)
    return found


def _opened(path: Path) -> dict[str, Any]:
    """What a file holds, its runs read."""
    try:
        whole = json.loads(path.read_bytes())
        if not isinstance(whole, dict) or whole.get("format") != _FORMAT:
            raise ValueError(f"its format is not {_FORMAT}")  # noqa: TRY301, named once, below
        return {**whole, "runs": [_read(each) for each in whole["runs"]]}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} holds no results of an experiment: {error!r}") from error


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
