"""All metrics, as the records that benchmarks list: what each measures, against what, and under which protocol.

    clip_image, clip_text, dino            features                    networks clip, dino
    l1, l2, ssim                           pixels                      whole, inside or outside a region
    canny_f1, ms_ssim, depth_rmse, miou    control maps                networks hed, lineart, depth, segmenter
    fid                                    the set of all outputs      network inception
    gedit_…, imgedit_…                     a judge's scores            network judge
    edit_accuracy, change_iou, …           edits with exact targets    colours in CIEDE2000

Importing this module loads neither a network nor a library of metrics.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

from cologen.evaluation.judgement import IMGEDIT
from cologen.evaluation.metric import ItemMetric, Metric, SetMetric, Statistic
from cologen.evaluation.metrics import (
    changes,
    classes,
    depth,
    edges,
    features,
    frechet,
    judged,
    kinds,
    pixels,
    structure,
)
from cologen.evaluation.metrics.cases import Part, Reference, condition_of, pictures_of, reading_of
from cologen.evaluation.records import Case, Need

TOLERANCE = 5.0
"""CIEDE2000 up to which a colour counts as the target's: what a codec changes is below it, another colour above."""


def clip_image(*, reference: Reference, name: str = "clip_i") -> Metric:
    """CLIP-I: the cosine between CLIP's features of output and reference."""
    return kinds.image_cosine("clip", "CLIP-I", name, reference)


def dino(*, reference: Reference, name: str = "dino") -> Metric:
    """DINO: the cosine between class tokens of output and reference."""
    return kinds.image_cosine("dino", "DINO", name, reference)


def clip_text(*, text: str = "output", name: str = "clip_t", scale: float = 1.0) -> Metric:
    """CLIP-T (CLIP-out): the cosine between the output's and a caption's features, times ``scale``.

    CLIP score is this with ``scale=100``; torchmetrics raises a negative mean to 0, which is not done here.
    """
    output, words = Need(network="clip", slot="output"), Need(network="clip", slot="texts", text=text)
    return Metric(
        name=name,
        title="CLIP-T" if scale == 1 else "CLIP score",
        better="higher",
        best=scale,
        worst=-scale,
        protocol=f"{'' if scale == 1 else f'{scale:g} · '}cosine of CLIP features, output against the caption {text!r}",
        value=lambda case: scale * features.mean_cosine(reading_of(case, output), reading_of(case, words)),
        needs=(output, words),
    )


def l1(*, reference: Reference, region: Part | None = None, name: str | None = None) -> Metric:
    """L1: the mean of |a - b| in [0, 1]."""
    return kinds.pixel_metric(
        "l1", "L1", "mean |a - b| of values in [0, 1]", pixels.mean_absolute, reference, region, name
    )


def l2(*, reference: Reference, region: Part | None = None, name: str | None = None) -> Metric:
    """L2 of MagicBrush's script: the mean of (a - b)² in [0, 1], without a root."""
    return kinds.pixel_metric(
        "l2", "L2", "mean (a - b)² of values in [0, 1]", pixels.mean_squared, reference, region, name
    )


def ssim(*, reference: Reference, region: Part | None = None, name: str | None = None) -> Metric:
    """SSIM: the mean of its map over pixels and channels."""
    what = "SSIM (torchmetrics, Gaussian window 11, sigma 1.5, values in [0, 1])"
    return kinds.pixel_metric("ssim", "SSIM", what, structure.ssim, reference, region, name)


def ms_ssim(
    *,
    network: Literal["hed", "lineart"],
    form: structure.Form = "corrected",
    against: Literal["condition", "target"] = "condition",
    name: str | None = None,
) -> Metric:
    """ControlNet++'s "SSIM" of HED and lineart: multi-scale SSIM of the output's map and the one it should have.

    Args:
        network: the extractor; its maps are white on black and pass through 8 bits.
        form: of lineart alone: ``wrapped`` repeats the published inversion of the output's map.
        against: the item's control map, or what the network reads in the target.
        name: ``<network>_ssim`` if not given.
    """
    if form == "wrapped" and network != "lineart":
        raise ValueError(f"form 'wrapped' is of lineart alone, got network {network!r}")
    output, target = Need(network=network, slot="output"), Need(network=network, slot="target")

    def value(case: Case) -> float:
        reading = reading_of(case, output)
        if network == "lineart":  # the network draws black on white, and ControlNet++ inverts what 8 bits hold of it
            found = structure.white_on_black(structure.to_bytes(1 - reading), form)
        else:
            found = structure.to_bytes(reading)
        known = against == "condition"
        return structure.ms_ssim(found, condition_of(case) if known else structure.to_bytes(reading_of(case, target)))

    title = "HED" if network == "hed" else "Lineart"
    return Metric(
        name=name or f"{network}_ssim",
        title=f"{title} SSIM",
        better="higher",
        best=1.0,
        worst=0.0,
        protocol=f"multi-scale SSIM (torchmetrics) of {network} maps of 8 bits, output against {against}"
        + (f", inversion {form}" if network == "lineart" else ""),
        value=value,
        needs=(output,) if against == "condition" else (output, target),
    )


def depth_rmse(*, name: str = "depth_rmse") -> Metric:
    """RMSE between the output's depth map and the item's, in grey levels."""
    need = Need(network="depth", slot="output")
    return Metric(
        name=name,
        title="Depth RMSE",
        better="lower",
        best=0.0,
        worst=255.0,
        protocol="root of the mean squared difference in grey levels: prediction / maximum, label stretched min to max",
        value=lambda case: depth.depth_error(reading_of(case, need), condition_of(case), pixels.size_of(case.output)),
        needs=(need,),
    )


def canny_f1(*, against: Literal["condition", "target"] = "condition", name: str = "canny_f1") -> ItemMetric:
    """F1 of canny edges, pooled over the outputs of an item; against its edge map, or the target's own edges."""

    def statistic(case: Case) -> Statistic:
        found = edges.canny_edges(case.output)
        size = pixels.size_of(case.output)
        if against == "condition":
            return edges.edge_counts(found, edges.edges_of_map(condition_of(case), size))
        target = pixels.resized_to(pictures_of(case, "target")[0], size)
        return edges.edge_counts(found, edges.canny_edges(target))

    return ItemMetric(
        name=name,
        title="Canny F1",
        better="higher",
        best=1.0,
        worst=0.0,
        protocol=f"F1 of kornia canny ({edges.LOW}, {edges.HIGH}), output against {against}, pooled over an item",
        statistic=statistic,
        value=edges.pooled_f1,
    )


def miou(*, num_classes: int, ignored: int, name: str = "miou") -> SetMetric:
    """Mean IoU over classes, all outputs in one confusion matrix.

    ADE20K: 150 classes, ``ignored=0`` (labels are the class plus 1). COCO-Stuff: 171 classes, ``ignored=255``.
    """
    if ignored != 0 and 0 <= ignored < num_classes:
        raise ValueError(f"ignored must be 0 or no class, got {ignored} of {num_classes} classes")
    need = Need(network="segmenter", slot="output")
    return SetMetric(
        name=name,
        title="mIoU",
        better="higher",
        best=1.0,
        protocol=f"IoU of {num_classes} classes over all outputs together, label {ignored} ignored, absent classes out",
        statistic=lambda case: classes.class_areas(
            reading_of(case, need), condition_of(case), num_classes=num_classes, ignored=ignored
        ),
        figure=classes.mean_iou,
        needs=(need,),
    )


def fid(*, each_number: bool = True, name: str = "fid") -> SetMetric:
    """FID between outputs and targets, clean-fid's features.

    ``each_number``: the mean of one FID for each number of output (ControlNet++), not one of all outputs together.
    """
    needs = Need(network="inception", slot="output"), Need(network="inception", slot="target")
    return SetMetric(
        name=name,
        title="FID",
        better="lower",
        best=0.0,
        protocol="Fréchet distance of clean-fid's Inception features (mode clean), outputs against targets",
        statistic=lambda case: {"output": reading_of(case, needs[0]), "target": reading_of(case, needs[1])},
        figure=frechet.fid_of,
        needs=needs,
        each_number=each_number,
    )


def gedit_sc(*, name: str = "gedit_sc") -> Metric:
    """GEdit-Bench's semantic consistency, the mean over tasks of their means."""
    return kinds.judged(name, "G_SC", "min of the judge's scores of semantic consistency", judged.semantic_consistency)


def gedit_pq(*, name: str = "gedit_pq") -> Metric:
    """GEdit-Bench's perceptual quality, the mean over tasks of their means."""
    return kinds.judged(name, "G_PQ", "min of the judge's scores of perceptual quality", judged.perceptual_quality)


def gedit_o(*, name: str = "gedit_o") -> Metric:
    """GEdit-Bench's overall score √(SC · PQ) of each sample, the mean over tasks of their means."""
    return kinds.judged(name, "G_O", "√(SC · PQ) of each sample", judged.overall)


def imgedit_scores() -> tuple[Metric, ...]:
    """ImgEdit-Bench's score, the mean of the judge's three, and each of the three; then means over edit types.

    ``imgedit``, ``imgedit_edit``, ``imgedit_natural`` and ``imgedit_detail``: what they ask differs between edit types.
    """
    scale = IMGEDIT.lowest, IMGEDIT.highest
    mean = kinds.judged("imgedit", "ImgEdit", "mean of the judge's three scores", judged.mean_score, scale)
    each = (
        kinds.judged(
            f"imgedit_{name}",
            f"ImgEdit {name}",
            f"the judge's score {name!r}",
            partial(judged.score_at, place=IMGEDIT.place(name)),
            scale,
        )
        for name in IMGEDIT.names
    )
    return mean, *each


def edit_accuracy(*, tolerance: float = TOLERANCE, name: str = "edit_accuracy") -> Metric:
    """The share of the pixels that had to change which have the target's colour."""
    what = "share of the pixels changed in the target that have its colour"
    return kinds.exact(name, "Edit accuracy", what, changes.edit_accuracy, tolerance)


def preservation_accuracy(*, tolerance: float = TOLERANCE, name: str = "preservation_accuracy") -> Metric:
    """The share of the pixels that had to stay which have the target's colour."""
    what = "share of the pixels unchanged in the target that have its colour"
    return kinds.exact(name, "Preservation accuracy", what, changes.preservation_accuracy, tolerance)


def change_iou(*, tolerance: float = TOLERANCE, name: str = "change_iou") -> Metric:
    """IoU of what the output changed and what it should have, whatever the colours."""
    what = "IoU of the pixels changed in the output and in the target"
    return kinds.exact(name, "Change IoU", what, changes.change_iou, tolerance)


def edit_iou(*, tolerance: float = TOLERANCE, name: str = "edit_iou") -> Metric:
    """PaintBench's IoU: right changes, divided by those asked for and what went wrong elsewhere."""
    what = "pixels rightly changed / pixels to be changed or wrong elsewhere"
    return kinds.exact(name, "Edit IoU", what, changes.edit_iou, tolerance)


def delta_e(*, region: Part | None = None, tolerance: float = TOLERANCE, name: str | None = None) -> Metric:
    """The mean CIEDE2000 between output and target: everywhere, in the pixels that had to change, or outside them."""
    where = {None: "all pixels", "inside": "pixels changed in the target", "outside": "pixels unchanged in the target"}
    return Metric(
        name=name or kinds.named("delta_e", region),
        title=kinds.titled("ΔE", region),
        better="lower",
        best=0.0,
        worst=None,
        protocol=f"mean CIEDE2000 (sRGB, D65) between output and target over {where[region]}",
        value=lambda case: changes.mean_difference(kinds.edit(case, tolerance), region),
    )
