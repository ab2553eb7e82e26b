"""The audit as a Markdown page: a table of shares, what each ladder is, and the ladders as one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from cologen.datagen.world.edits import Edit
from cologen.evaluation.auditing.ladders import LADDERS
from cologen.evaluation.auditing.ranking import Ranking
from cologen.evaluation.metric import Metric
from cologen.reports.contact_sheet import Row, contact_sheet, png

MEANINGS: Mapping[str, str] = MappingProxyType(
    {
        "colour": "the object gets a colour that is farther and farther from the one that was asked for",
        "place": "the object is moved by 5, 10, 20 and 40 % of the side",
        "undone": "the edit fades: 25, 50, 75, 100 % of the way back to the source",
        "others": "1, 2, 3 of the other objects change their colour as well",
        "blur": "Gaussian blur of 0.5, 1, 2, 4 % of the side",
        "noise": "Gaussian noise of 8, 16, 32, 64 levels",
    }
)


def markdown(
    rankings: Mapping[tuple[str, str], Ranking], metrics: Sequence[Metric], *, facts: Sequence[str], picture: str
) -> str:
    """The page; ``facts`` are lines on what was audited, ``picture`` the address of the ladders' picture."""
    lines = ["# The audit of metrics", ""]
    lines += [
        "How well does a metric rank outputs whose degree of wrongness is known? Each ladder starts at the exact",
        "target of an edit; each rung is worse than the one before by construction. A cell is the share of pairs of",
        "rungs that the metric ranks right, with the 95 % bootstrap interval over edits: 1.00 is always right, 0.50 is",
        "chance, and below it the metric prefers what is more wrong.",
        "",
        *facts,
        "",
        f"![The ladders of one edit]({picture})",
        "",
        "| metric | protocol | " + " | ".join(LADDERS) + " |",
        "|---|---|" + "---|" * len(LADDERS),
    ]
    lines += [
        f"| {metric.title} (`{metric.name}`) | {_plain(metric.protocol)} | "
        + " | ".join(_cell(rankings.get((metric.name, ladder))) for ladder in LADDERS)
        + " |"
        for metric in metrics
    ]
    lines += ["", "## What it says", "", *_findings(rankings)]
    lines += ["", "## When a metric notices", ""]
    lines += ["The same share, of each rung against the exact target alone, from the first rung to the last.", ""]
    lines += ["| metric | " + " | ".join(LADDERS) + " |", "|---|" + "---|" * len(LADDERS)]
    lines += [
        f"| `{metric.name}` | " + " | ".join(_steps(rankings.get((metric.name, ladder))) for ladder in LADDERS) + " |"
        for metric in metrics
    ]
    lines += ["", "## The ladders", ""]
    lines += [f"- **{name}**: {meaning}." for name, meaning in MEANINGS.items()]
    return "\n".join(lines) + "\n"


def picture(edit: Edit, side: int) -> bytes:
    """The ladders of one edit as a PNG, a row for each."""
    rows = [
        Row({("target" if place == 0 else f"rung {place}"): rung for place, rung in enumerate(rungs)}, (name,))
        for name, ladder in LADDERS.items()
        if len(rungs := ladder(edit, side, 0)) > 1
    ]
    return png(contact_sheet(rows, across=1))


def _findings(rankings: Mapping[tuple[str, str], Ranking]) -> list[str]:
    """Where a metric is blind, and where it is turned round, by the interval."""
    turned = [f"`{metric}` on {ladder}" for (metric, ladder), each in rankings.items() if each.high < 0.5]
    blind = [f"`{metric}` on {ladder}" for (metric, ladder), each in rankings.items() if each.low <= 0.5 <= each.high]
    return [
        f"- **Prefers what is more wrong:** {', '.join(turned) or 'no metric on any ladder'}.",
        f"- **At chance, so blind to it:** {', '.join(blind) or 'no metric on any ladder'}.",
        "- A metric against the source rewards an edit that was not made: read it beside a report's identity line.",
        "- A metric inside or outside of the region sees one half of an edit by design: report both.",
    ]


def _plain(text: str) -> str:
    """Text for a cell: a bar would end it."""
    return text.replace("|", "\\|")


def _cell(ranking: Ranking | None) -> str:
    return "–" if ranking is None else f"{ranking.share:.2f} ({ranking.low:.2f}–{ranking.high:.2f})"


def _steps(ranking: Ranking | None) -> str:
    return "–" if ranking is None else " ".join(f"{share:.2f}" for share in ranking.steps)
