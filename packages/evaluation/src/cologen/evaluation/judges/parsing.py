"""A judge's answer to numbers: in the form that the prompt demands, or an error; never a guess."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from cologen.evaluation.judges.asking import Answer
from cologen.evaluation.judges.replies import shortened
from cologen.evaluation.records import ScoreError

_FENCE = re.compile(r"```(?:json|JSON)?\s*\n(.*?)```", re.DOTALL)


def read_scores(answer: Answer, names: Sequence[str], *, lowest: float, highest: float) -> list[float]:
    """The numbers under ``scores``, in the order of ``names``.

    The answer is ``{"scores": {name: number, …}}``, with exactly these names and numbers in [lowest, highest], or
    ``{"refused": true}``. It stands alone or in the only code fence of the text. Further keys of the outer object
    (``reasoning``) are not read.

    Raises:
        ScoreError: ``refused`` or ``unparsable``.
    """
    if answer.ending == "refused":
        raise ScoreError("refused", f"the judge refused: {_beginning(answer)}")
    if answer.ending == "cut":
        _not_in_form("the answer was cut off at the limit of tokens", answer)
    found = _object(answer)
    if found.get("refused") is True and "scores" not in found:
        raise ScoreError("refused", f"the judge refused: {_beginning(answer)}")
    scores = found.get("scores")
    if found.get("refused") is True or not isinstance(scores, dict):
        _not_in_form('expected "scores" with an object, or "refused" with true', answer)
    if set(scores) != set(names):
        _not_in_form(f"expected the {len(names)} scores {', '.join(names)}, got {', '.join(scores) or 'none'}", answer)
    return [_number(name, scores[name], lowest, highest, answer) for name in names]


def _object(answer: Answer) -> dict[str, Any]:
    fenced = _FENCE.findall(answer.text)
    if len(fenced) > 1:
        _not_in_form(f"expected one JSON object, got {len(fenced)} code fences", answer)
    try:
        found = json.loads(
            fenced[0] if fenced else answer.text, object_pairs_hook=_distinct, parse_constant=_no_such_number
        )
    except (ValueError, RecursionError):  # json's own errors are ValueErrors
        _not_in_form("expected one JSON object", answer)
    if not isinstance(found, dict):
        _not_in_form("expected one JSON object", answer)
    return found


def _number(name: str, value: Any, lowest: float, highest: float, answer: Answer) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        _not_in_form(f"expected a number for {name}", answer)
    if not (math.isfinite(value) and lowest <= value <= highest):
        _not_in_form(f"expected {name} from {lowest:g} to {highest:g}", answer)
    return float(value)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


def _no_such_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _not_in_form(why: str, answer: Answer) -> NoReturn:
    raise ScoreError("unparsable", f"{why}; the answer begins: {_beginning(answer)}")


def _beginning(answer: Answer) -> str:
    return shortened(answer.text.encode(errors="replace")) or "(empty)"
