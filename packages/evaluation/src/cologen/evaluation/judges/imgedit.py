"""ImgEdit-Bench's judge: one question with source and output, three criteria that depend on the edit type."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cologen.evaluation.judgement import IMGEDIT
from cologen.evaluation.judges.asking import as_jpeg
from cologen.evaluation.judges.cache import CachedModel
from cologen.evaluation.judges.parsing import read_scores
from cologen.evaluation.judges.prompts import digest
from cologen.evaluation.judges.prompts_imgedit import PROMPTS, imgedit_prompt
from cologen.evaluation.records import Case, ScoreError


@dataclass(frozen=True, slots=True, kw_only=True)
class ImgEditJudge:
    """A ``Judge`` whose arrays are laid out as ``judgement.IMGEDIT``; an item's ``group`` is its edit type.

    The prompts are our own: figures are comparable with each other under one identity, not with published ones.
    """

    model: CachedModel
    concurrency: int = 1

    @property
    def identity(self) -> str:
        """See ``Judge``."""
        return f"{self.model.identity}, prompts {digest(PROMPTS.values())}"

    def judge(self, case: Case) -> np.ndarray:
        """See ``Judge``; one question."""
        source, kind = case.expected.source, case.item.group
        if source is None:
            raise ScoreError("bad_input", "ImgEdit-Bench's judge compares with a source, and this item has none")
        if kind not in PROMPTS:
            raise ScoreError("bad_input", f"expected an edit type of {', '.join(PROMPTS)}, got {kind!a}")
        pictures = as_jpeg(source, source), as_jpeg(case.output, source)
        answer = self.model.ask(imgedit_prompt(kind, case.item.prompt), pictures)
        scores = read_scores(answer, IMGEDIT.names, lowest=IMGEDIT.lowest, highest=IMGEDIT.highest)
        return np.array(scores, dtype=np.float64)
