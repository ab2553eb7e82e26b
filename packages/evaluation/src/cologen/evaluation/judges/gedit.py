"""GEdit-Bench's judge: semantic consistency from source, output and instruction; quality from the output alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cologen.evaluation.judgement import GEDIT, GEDIT_PQ, GEDIT_SC
from cologen.evaluation.judges.asking import as_jpeg
from cologen.evaluation.judges.cache import CachedModel
from cologen.evaluation.judges.parsing import read_scores
from cologen.evaluation.judges.prompts import digest
from cologen.evaluation.judges.prompts_gedit import PQ, SC, sc_prompt
from cologen.evaluation.records import Case, ScoreError


@dataclass(frozen=True, slots=True, kw_only=True)
class GEditJudge:
    """A ``Judge`` whose arrays are laid out as ``judgement.GEDIT``.

    The prompts are our own, in English; an instruction in any language is passed on as it is. Figures are comparable
    with each other under one identity, not with published ones.
    """

    model: CachedModel
    concurrency: int = 1

    @property
    def identity(self) -> str:
        """See ``Judge``."""
        return f"{self.model.identity}, prompts {digest((SC, PQ))}"

    def judge(self, case: Case) -> np.ndarray:
        """See ``Judge``; two questions."""
        source = case.expected.source
        if source is None:
            raise ScoreError("bad_input", "GEdit-Bench's judge compares with a source, and this item has none")
        output = as_jpeg(case.output, source)
        consistency = self.model.ask(sc_prompt(case.item.prompt), (as_jpeg(source, source), output))
        first = read_scores(consistency, GEDIT.names[GEDIT_SC], lowest=GEDIT.lowest, highest=GEDIT.highest)
        quality = self.model.ask(PQ, (output,))
        second = read_scores(quality, GEDIT.names[GEDIT_PQ], lowest=GEDIT.lowest, highest=GEDIT.highest)
        return np.array(first + second, dtype=np.float64)
