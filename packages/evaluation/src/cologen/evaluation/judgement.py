"""What the array of one judged case holds, by benchmark: judges write it, metrics read it.

GEdit-Bench     [followed, kept, natural, clean]          each in [0, 10]
                 └─ SC = min ─┘  └─ PQ = min ─┘           O = √(SC · PQ)
ImgEdit-Bench   [edit, natural, detail]                   each in [1, 5]; the score is their mean
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The names of a judge's scores, in the order of its array, and the scale of all of them."""

    names: tuple[str, ...]
    lowest: float
    highest: float

    def place(self, name: str) -> int:
        """Where the array has the score of that name."""
        return self.names.index(name)


GEDIT = Judgement(names=("followed", "kept", "natural", "clean"), lowest=0.0, highest=10.0)
"""Instruction followed, the rest kept (semantic consistency); natural, free of artefacts (perceptual quality)."""
GEDIT_SC = slice(0, 2)
"""The scores of semantic consistency, which is their minimum: the judge saw source, output and instruction."""
GEDIT_PQ = slice(2, 4)
"""The scores of perceptual quality, which is their minimum: the judge saw the output alone."""

IMGEDIT = Judgement(names=("edit", "natural", "detail"), lowest=1.0, highest=5.0)
"""The roles that the three criteria of every edit type have, in this order."""
IMGEDIT_CRITERIA: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        "add": ("prompt compliance", "visual naturalness", "physical and detail coherence"),
        "alter": ("prompt compliance", "visual seamlessness", "physical and detail fidelity"),
        "background": ("prompt compliance", "visual seamlessness", "physical consistency"),
        "compose": ("prompt compliance", "visual naturalness", "physical and detail consistency"),
        "extract": ("object selection", "background purity", "object integrity"),
        "remove": ("prompt compliance", "visual naturalness", "physical and detail integrity"),
        "replace": ("prompt compliance", "visual naturalness", "physical and detail integrity"),
        "style": ("style fidelity", "content preservation", "rendering quality"),
        "action": ("action fidelity", "identity preservation", "visual and anatomical coherence"),
    }
)
"""What the three scores are about, by edit type (``edit_type`` of ``basic_edit.json``, an item's ``group``)."""
