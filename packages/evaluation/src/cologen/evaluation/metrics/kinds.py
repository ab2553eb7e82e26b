"""Metrics that are made alike: of features, of pixels, of a judge's scores, of edits with exact targets."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cologen.evaluation.metric import Metric
from cologen.evaluation.metrics import changes, features, pixels
from cologen.evaluation.metrics.cases import Part, Reference, mean_over, pictures_of, reading_of, region_of
from cologen.evaluation.records import Case, Need, Picture, ScoreError

PixelMeasure = Callable[[Picture, Picture, pixels.Pixels | None], float | None]
"""Output, reference and the pixels that count (None: all) to a value, None where no pixel counts."""


def image_cosine(network: str, title: str, name: str, reference: Reference) -> Metric:
    """Features of the output against those of the reference, by the network of that name."""
    needs = Need(network=network, slot="output"), Need(network=network, slot=reference)
    return Metric(
        name=name,
        title=title,
        better="higher",
        best=1.0,
        worst=-1.0,
        protocol=f"cosine of {network} features, output against {_said(reference)}",
        value=lambda case: features.mean_cosine(reading_of(case, needs[0]), reading_of(case, needs[1])),
        needs=needs,
    )


def pixel_metric(
    stem: str, title: str, what: str, measure: PixelMeasure, reference: Reference, region: Part | None, name: str | None
) -> Metric:
    """``measure`` of output and reference, over all pixels or those of a part of the item's region."""

    def value(case: Case) -> float | None:
        def against(picture: Picture) -> float | None:
            chosen = None if region is None else pixels.pixels_of(region_of(case), pixels.size_of(picture), region)
            return measure(case.output, picture, chosen)

        return mean_over(pictures_of(case, reference), against)

    similar = stem == "ssim"
    where = f", {region} the region" if region else ""
    return Metric(
        name=name or named(stem, region),
        title=titled(title, region),
        better="higher" if similar else "lower",
        best=1.0 if similar else 0.0,
        worst=-1.0 if similar else 1.0,
        protocol=f"{what}, output resized to {_said(reference)} (Pillow bicubic){where}",
        value=value,
    )


def judged(
    name: str,
    title: str,
    what: str,
    score: Callable[[np.ndarray], float],
    scale: tuple[float, float] = (0.0, 10.0),
) -> Metric:
    """``score`` of what the judge answered, on its ``scale`` (lowest, highest)."""
    need = Need(network="judge", slot="output")
    return Metric(
        name=name,
        title=title,
        better="higher",
        best=scale[1],
        worst=scale[0],
        protocol=f"{what}, in [{scale[0]:g}, {scale[1]:g}]; mean over edit types",
        value=lambda case: score(reading_of(case, need)),
        needs=(need,),
        macro=True,
    )


def exact(
    name: str, title: str, protocol: str, share: Callable[[changes.Edit], float | None], tolerance: float
) -> Metric:
    """A share in [0, 1] of an edit with an exact target."""
    return Metric(
        name=name,
        title=title,
        better="higher",
        best=1.0,
        worst=0.0,
        protocol=f"{protocol} (colours equal within CIEDE2000 {tolerance:g})",
        value=lambda case: share(edit(case, tolerance)),
    )


def edit(case: Case, tolerance: float) -> changes.Edit:
    """The output beside source and target.

    Raises:
        ScoreError: ``bad_input``: source or target is missing, or they differ in size.
    """
    source, target = case.expected.source, case.expected.target
    if source is None or target is None:
        raise ScoreError("bad_input", f"{case.item.item_id} lacks a source or a target")
    return changes.edit_of(case.output, source, target, tolerance)


def named(stem: str, region: Part | None) -> str:
    """``l1`` or ``l1_inside``."""
    return f"{stem}_{region}" if region else stem


def titled(title: str, region: Part | None) -> str:
    """``L1`` or ``L1 inside``."""
    return f"{title} {region}" if region else title


def _said(reference: Reference) -> str:
    return "the references (mean)" if reference == "references" else f"the {reference}"
