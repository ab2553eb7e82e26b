"""What has to hold for each row of a manifest by its task: recomputed from the row's columns and the recipe."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from cologen.datagen import rle
from cologen.datagen.control.alignment import stretch
from cologen.datagen.control.policy import KINDS, ONLINE
from cologen.datagen.grounding.palette import PALETTE
from cologen.datagen.grounding.policy import REFERRINGS
from cologen.datagen.manifest.schemas import Task, more_sources
from cologen.datagen.masks.policy import MaskPolicy
from cologen.datagen.pairs.filters import check_scores
from cologen.datagen.passes.control import ControlRecipe
from cologen.datagen.passes.grounding import GroundingRecipe, instructions_of, sizes_of
from cologen.datagen.passes.inpaint import InpaintRecipe
from cologen.datagen.passes.pairs import PairRecipe, direction_of
from cologen.datagen.passes.recipes import Recipe
from cologen.datagen.records import RejectedError

TOLERANCE = 1e-5  # areas and overlaps are stored as float32


def _concept_problems(row: Mapping[str, Any], _: Recipe) -> Iterator[str]:
    for number, item in enumerate(row["objects"]):
        for problem in _object_problems(item["rle"], item["box"], row["height"], row["width"]):
            yield f"object {number}: {problem}"


def _object_problems(counts: bytes, box: list[float], height: int, width: int) -> Iterator[str]:
    rle.check(counts, height, width)
    tight = rle.box(counts, height, width)
    if tight.area == 0:
        yield "the object's mask is empty"
    elif not np.allclose(tight.xyxy(), box):
        yield f"the object's box is {box}, its pixels span {tight.xyxy()}"


def _grounding_problems(row: Mapping[str, Any], recipe: GroundingRecipe) -> Iterator[str]:
    problems = [*_mark_problems(row), *_drawing_problems(row, recipe)]
    yield from problems
    if row["caption"] != row["instruction"]:
        yield "its caption is not its instruction"
    elif not problems and row["instruction"] not in instructions_of(recipe, row):
        yield f"its instruction is none for {row['phrase']!r} in {row['color']}"


def _mark_problems(row: Mapping[str, Any]) -> Iterator[str]:
    """Of what is marked."""
    height, width, boxes = row["height"], row["width"], row["boxes"]
    if row["negative"] != (not boxes):
        yield f"{len(boxes)} boxes in a row that is {'' if row['negative'] else 'not '}negative"
    for left, top, right, bottom in boxes:
        if not (0 <= left < right <= width and 0 <= top < bottom <= height):
            yield f"box {[left, top, right, bottom]} is empty or leaves the picture"
    if len(set(map(tuple, boxes))) < len(boxes):
        yield "a box occurs twice"
    elif row["referring"] == "instance" and len(boxes) > 1:
        yield "an instance row marks more than one instance"
    if row["referring"] == "mask" and boxes:
        yield from _cover_problems(row)
    elif row["mask_rle"] is not None:
        yield "it holds a mask, and none is drawn of it"


def _drawing_problems(row: Mapping[str, Any], recipe: GroundingRecipe) -> Iterator[str]:
    """Of how it is marked, and of which samples the recipe asks for."""
    colors = {color.name: list(color.rgb) for color in PALETTE}
    if row["referring"] not in REFERRINGS:
        yield f"its way to refer {row['referring']!r} is none of {', '.join(REFERRINGS)}"
    if row["color"] not in colors:
        yield f"its color {row['color']!r} is not in the palette"
    elif row["color_rgb"] != colors[row["color"]]:
        yield f"its color {row['color']} is {row['color_rgb']}, the palette's {colors[row['color']]}"
    if (sizes := (row["line_width"], row["opacity"])) != (drawn := sizes_of(recipe, row)):
        yield f"its line width and opacity are {sizes}, those of its id {drawn}"
    for name in ("inverse", "negative"):
        if row[name] and getattr(recipe.policy, name) == 0:
            yield f"it is {name}, and the recipe asks for none"


def _cover_problems(row: Mapping[str, Any]) -> Iterator[str]:
    if row["mask_rle"] is None:
        yield "a mask row lacks its mask"
        return
    rle.check(row["mask_rle"], row["height"], row["width"])
    tight, boxes = rle.box(row["mask_rle"], row["height"], row["width"]).xyxy(), np.array(row["boxes"])
    if not np.allclose(tight, (*boxes[:, :2].min(axis=0), *boxes[:, 2:].max(axis=0))):
        yield f"its mask spans {tight}, its boxes do not"


def _control_problems(row: Mapping[str, Any], recipe: ControlRecipe) -> Iterator[str]:
    policy = recipe.policy
    kind, address = row["condition"], row["condition_uri"]
    if kind not in KINDS:
        yield f"its condition {kind!r} is none of {', '.join(KINDS)}"
    if row["online"] != (kind in ONLINE and address is None):
        yield f"a row of {kind} {'with' if address else 'without'} a map is {'' if row['online'] else 'not '}online"
    if (address is None) != (kind == "canny" or row["online"]):
        yield f"a row of {kind} has {'no map' if address is None else 'a map'}"
    if address == row["image_uri"]:
        yield "its condition is its picture"
    drawn = policy.thresholds.draw(recipe.seed, row["sample_id"]) if kind == "canny" else None
    if (row["canny_low"], row["canny_high"]) != ((drawn.low, drawn.high) if drawn else (None, None)):
        yield f"its thresholds {row['canny_low']} and {row['canny_high']} are not those of its id"
    sides = row["condition_width"], row["condition_height"]
    if [address is None] * 2 != [side is None for side in sides]:
        yield f"its map at {address} has the sides {sides}"
    elif address is not None and stretch((row["width"], row["height"]), sides) > policy.max_stretch:
        yield f"its condition of {sides[0]} x {sides[1]} has other proportions than its picture"


def _pair_problems(row: Mapping[str, Any], recipe: PairRecipe) -> Iterator[str]:
    if row["caption"] != row["instruction"]:
        yield "its caption is not its instruction"
    if row["image_uri"] != row["target_uri"]:
        yield "its image is not its target"
    if row["source_uri"] == row["target_uri"] and _overlap(row["source_box"], row["target_box"]):
        yield "its source and its target are the same pixels, or share some"
    elif recipe.task == "customized" and row["direction"] != direction_of(row["source_box"], row["target_box"]):
        yield f"its direction {row['direction']!r} is not that of its boxes"
    if row["target_uri"] in more_sources(row):
        yield "a further source is its target's picture"
    for role in ("source", "target"):
        left, top, right, bottom = row[f"{role}_box"] or (0, 0, 1, 1)
        if not (0 <= left < right and 0 <= top < bottom):
            yield f"its {role}'s box {row[f'{role}_box']} is empty or leaves the picture"
    if (box := row["target_box"]) and (box[2] - box[0], box[3] - box[1]) != (row["width"], row["height"]):
        yield f"its target's box is {box}, the row says {row['width']} x {row['height']}"
    try:
        scores = tuple((one["name"], one["value"]) for one in row["scores"])
        check_scores(scores, recipe.policy)
    except RejectedError as error:
        yield f"its scores do not pass: {error}"


def _overlap(one: list[float] | None, two: list[float] | None) -> bool:
    """Whether two boxes of one image have pixels in common; None is all of it."""
    if one is None or two is None:
        return True
    return max(one[0], two[0]) < min(one[2], two[2]) and max(one[1], two[1]) < min(one[3], two[3])


def _inpaint_problems(row: Mapping[str, Any], recipe: InpaintRecipe) -> Iterator[str]:
    policy = recipe.policy
    height, width, mask = row["height"], row["width"], row["mask_rle"]
    rle.check(mask, height, width)
    area = rle.area(mask) / (height * width)
    if not 0 < area < 1:
        yield "its mask is empty or full"
    if abs(area - row["mask_area"]) > TOLERANCE:
        yield f"its mask covers {area:.6f} of the picture, the row says {row['mask_area']:.6f}"
    if row["mask_kind"] not in recipe.mix_asked:
        yield f"its kind {row['mask_kind']!r} is none of {', '.join(recipe.mix_asked)}"
    if beyond := [name for name in ("max_object_iou", "max_object_coverage") if not 0 <= row[name] <= 1 + TOLERANCE]:
        yield f"{', '.join(beyond)} outside [0, 1]"
        return
    has_parts = [row[name] is not None for name in ("object_rle", "object_box", "object_score")]
    if any(has_parts) != all(has_parts) or (row["object_noun"] is not None and not all(has_parts)):
        yield "of its object it holds some columns and lacks others"
        return
    if row["object_noun"] is not None and not row["object_noun"].strip():
        yield "its object's noun is blank"
    if all(has_parts):
        yield from _object_problems(row["object_rle"], row["object_box"], height, width)
        yield from _overlap_problems(row, policy)
    elif row["mask_kind"] != "random" or row["max_object_iou"] > 0 or row["max_object_coverage"] > 0:
        yield f"a mask of kind {row['mask_kind']} overlaps an object that the row does not hold"


def _overlap_problems(row: Mapping[str, Any], policy: MaskPolicy) -> Iterator[str]:
    kind, largest, most = row["mask_kind"], row["max_object_iou"], row["max_object_coverage"]
    overlaps = rle.overlaps(row["mask_rle"], [row["object_rle"]], row["height"], row["width"])
    iou, coverage = (float(value[0]) for value in overlaps)
    # The row's numbers range over all objects, of which a random mask's own is the one with the largest IoU.
    if largest < iou - TOLERANCE or (kind == "random" and largest > iou + TOLERANCE):
        yield f"its IoU with the object is {iou:.4f}, the row says {largest:.4f}"
    if most < coverage - TOLERANCE:
        yield f"its mask covers {coverage:.4f} of the object, the row says {most:.4f} at most"
    if kind == "random":
        if largest > policy.max_object_iou + TOLERANCE:
            yield f"a random mask with IoU {largest:.4f} above {policy.max_object_iou}"
        if most > policy.max_object_coverage + TOLERANCE:
            yield f"a random mask hides {most:.4f} of an object"
        return
    if coverage < 1 - TOLERANCE:
        yield f"a mask of kind {kind} covers {coverage:.4f} of its object"
    elif kind == "object" and policy.dilation == 0 and row["mask_rle"] != row["object_rle"]:
        yield "an object mask differs from its object"
    if kind == "irregular" and not _covers(row["mask_rle"], row["object_box"], row["height"], row["width"]):
        yield "an irregular mask leaves a part of its object's box uncovered"


def _covers(mask: bytes, box: list[float], height: int, width: int) -> bool:
    left, top, right, bottom = (int(value) for value in box)
    return bool(rle.decode(mask, height, width)[top:bottom, left:right].all())


TASK_RULES: dict[Task, Callable[[Mapping[str, Any], Any], Iterator[str]]] = {
    "concepts": _concept_problems,
    "inpaint": _inpaint_problems,
    "grounding": _grounding_problems,
    "control": _control_problems,
    "customized": _pair_problems,
    "editing": _pair_problems,
}
