"""The pass after ``pairs``: of the pairs that are good by themselves, those that repeat no other of the whole dataset.

It begins when every part of the candidates is committed. Their rows hold hashes, 16 bytes a pair, and each worker keeps
those of all parts; pictures are looked at again only where hashes are alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from cologen.datagen.engine.jobs import Pass
from cologen.datagen.engine.parts import Part
from cologen.datagen.faults import attempt
from cologen.datagen.manifest import Manifest, PartContent, load_manifest, read_part
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.pair_records import Pair
from cologen.datagen.pairs.likeness import Likeness
from cologen.datagen.pairs.repeats import Hashes, RepeatPolicy, Role, repeated
from cologen.datagen.passes.pairs import PairPass, PairRecipe, cropped_likeness, look_at
from cologen.datagen.passes.reading import Reader
from cologen.datagen.records import Box, Reason, RejectedError, Rejection

_PARTS_HELD = 64
_LOOKS_HELD = 8192  # of 3 kB each


class DistinctRecipe(PairRecipe):
    """All that decides the rows: what decides the candidates, and which of those are compared."""

    repeats: RepeatPolicy = RepeatPolicy()


@dataclass(frozen=True, slots=True, kw_only=True)
class DistinctPass(Pass):
    """The rows of ``candidates`` without repetitions, part by part; what was rejected there is counted here too."""

    recipe: DistinctRecipe
    reader: Reader[Pair]
    candidates: PairPass

    @classmethod
    def over(cls, reader: Reader[Pair], recipe: PairRecipe, folder: Folder) -> DistinctPass:
        """The pass into ``folder``; its candidates are written beside it, under a name that ends in ``-candidates``."""
        candidates = PairPass(folder=folder.sibling("-candidates"), recipe=recipe, reader=reader)
        return cls(folder=folder, recipe=DistinctRecipe(**dict(recipe)), reader=reader, candidates=candidates)

    def open(self) -> Callable[[Part], PartContent]:
        """Rejects the pairs of a part that repeat an earlier one of any part."""
        candidates = _Candidates(self.candidates.folder, self.reader.root)
        return lambda part: PartContent.of(self.recipe.task, *_select(self.recipe, candidates, part))


def _select(
    recipe: DistinctRecipe, candidates: _Candidates, part: Part
) -> tuple[list[dict[str, Any]], list[Rejection]]:
    """The rows that stay, and everything that was rejected up to here."""
    rows, rejections = list[dict[str, Any]](), candidates.rejections(part.index)
    for place, row in candidates.rows(part.index):
        check = partial(_check_repeats, recipe, candidates, place)
        repeats = attempt(check, skip_unreadable=part.skip_unreadable)
        if repeats is not None:
            rejections.append(repeats.of(row["sample_id"], "distinct"))
        else:
            rows.append(row)
    return rows, rejections


def _check_repeats(recipe: DistinctRecipe, candidates: _Candidates, place: int) -> None:
    """Nothing, for a pair that repeats none before it.

    Raises:
        RejectedError: it repeats one, or a picture that could be read before cannot be any more.
    """
    earlier = repeated(candidates.hashes, place, candidates.look, recipe.repeats, recipe.policy.min_change)
    if earlier is not None:
        raise RejectedError(Reason.DUPLICATE_IMAGE, f"the pictures of {candidates.name(earlier)} again")


class _Candidates:
    """A complete manifest of pairs as one sequence, in the order of its parts and of the rows in them."""

    def __init__(self, folder: Folder, root: Path) -> None:
        manifest = load_manifest(folder)
        assert manifest.complete, f"{folder} was to be completed first"
        self._folder, self._parts = folder, manifest.parts
        self._starts = [0, *accumulate(part.rows for part in manifest.parts)]
        self.hashes = _hashes(folder, manifest)
        picture = lru_cache(maxsize=2)(lambda uri: look_at(root, uri))
        self._likeness = lru_cache(_LOOKS_HELD)(lambda uri, box: cropped_likeness(picture(uri), box))
        self._table = lru_cache(_PARTS_HELD)(lambda index: read_part(folder, self._parts[index].file))

    def rows(self, index: int) -> list[tuple[int, dict[str, Any]]]:
        """The rows of a part with their places in the sequence."""
        return list(enumerate(self._table(index).to_pylist(), self._starts[index]))

    def rejections(self, index: int) -> list[Rejection]:
        """What was rejected in a part."""
        rows = read_part(self._folder, self._parts[index].rejected_file).to_pylist()
        return [Rejection(**{**row, "reason": Reason(row["reason"])}) for row in rows]

    def name(self, place: int) -> str:
        """The sample id of a pair."""
        return self._row(place)["sample_id"]

    def look(self, place: int, role: Role) -> Likeness:
        """What one picture of a pair looks like."""
        row, name = self._row(place), ("source", "target")[role]
        box = row[f"{name}_box"]
        return self._likeness(row[f"{name}_uri"], box and Box(**dict(zip(("x0", "y0", "x1", "y1"), box, strict=True))))

    def _row(self, place: int) -> dict[str, Any]:
        index = int(np.searchsorted(self._starts, place, side="right")) - 1
        [row] = self._table(index).slice(place - self._starts[index], 1).to_pylist()
        return row


def _hashes(folder: Folder, manifest: Manifest) -> Hashes:
    columns = ("source_hash", "target_hash")
    found = [np.empty((len(columns), 0), dtype=np.uint64)]
    for part in manifest.parts:
        table = read_part(folder, part.file, columns)
        found.append(np.stack([table[name].to_numpy() for name in columns]))
    return np.hstack(found)
