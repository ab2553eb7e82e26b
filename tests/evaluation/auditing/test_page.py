"""The page names what is blind and what is turned round, and bars in a protocol do not break its table."""

from __future__ import annotations

from cologen.evaluation.auditing.ladders import LADDERS
from cologen.evaluation.auditing.page import MEANINGS, markdown
from cologen.evaluation.auditing.ranking import Ranking
from cologen.evaluation.metrics.catalog import l1


def _ranking(share: float, low: float, high: float) -> Ranking:
    return Ranking(share=share, low=low, high=high, num_edits=3, steps=(share, share))


def test_findings_follow_from_the_intervals() -> None:
    metrics = [l1(reference="target"), l1(reference="source", name="l1_source")]
    rankings = {
        ("l1", "undone"): _ranking(1.0, 1.0, 1.0),
        ("l1_source", "undone"): _ranking(0.0, 0.0, 0.1),
        ("l1_source", "blur"): _ranking(0.5, 0.4, 0.6),
    }
    page = markdown(rankings, metrics, facts=["3 edits."], picture="ladders.png")
    assert "**Prefers what is more wrong:** `l1_source` on undone." in page
    assert "**At chance, so blind to it:** `l1_source` on blur." in page
    rows = [line for line in page.splitlines() if line.startswith("| L1")]
    assert all(line.replace("\\|", "").count("|") == len(LADDERS) + 3 for line in rows)
    assert len(rows) == 2


def test_every_ladder_is_explained() -> None:
    assert MEANINGS.keys() == LADDERS.keys()
