"""Text to image: whether a picture shows what its caption says."""

from __future__ import annotations

from dataclasses import dataclass

from cologen.evaluation.worldbench.matching import as_stated, is_at, matched
from cologen.evaluation.worldbench.reading import Reading
from cologen.evaluation.worldbench.statements import Statements


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidValues:
    """Of one picture, each in [0, 1], higher is better.

    ``objects`` is the share of the named objects that are there, with their colour and, where it is said, texture.
    ``places`` is the share of the stated places at which the named object is; None where none is stated. ``ground`` is
    1 on the stated ground. ``nothing_else`` is 1 if no more objects are read than are named, those without a clear
    shape included. ``whole`` is 1 if all of it is right.
    """

    objects: float
    places: float | None
    ground: float
    nothing_else: float
    whole: float


def said(stated: Statements, reading: Reading) -> SaidValues:
    """What a caption says against what was read."""
    partners = matched(stated.objects, reading.objects, as_stated)
    right = sum(partner is not None for partner in partners) / len(stated.objects)
    placed = [
        partner is not None and is_at(one.place, partner)
        for one, partner in zip(stated.objects, partners, strict=True)
        if one.place is not None
    ]
    places = sum(placed) / len(placed) if placed else None
    ground = float(reading.ground == stated.ground)
    nothing_else = float(len(reading.objects) <= len(stated.objects))
    whole = float(right == ground == nothing_else == 1 and places in (None, 1))
    return SaidValues(objects=right, places=places, ground=ground, nothing_else=nothing_else, whole=whole)
