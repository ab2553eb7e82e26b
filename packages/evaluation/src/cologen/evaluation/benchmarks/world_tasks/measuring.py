"""The metrics of each task: one value per output, of what was read in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType

import numpy as np

from cologen.datagen.world.levels import LevelName
from cologen.datagen.world.subjects import SubjectPair
from cologen.evaluation.benchmarks.world_tasks.asking import Controlled, Edited, Hole, Mark
from cologen.evaluation.metric import Metric
from cologen.evaluation.records import Case, Picture
from cologen.evaluation.worldbench.control_measures import depth_order, edge_f1, segmentation_miou
from cologen.evaluation.worldbench.drawing_measures import said
from cologen.evaluation.worldbench.edit_measures import edited
from cologen.evaluation.worldbench.hole_measures import inpainted
from cologen.evaluation.worldbench.mark_measures import grounded
from cologen.evaluation.worldbench.reading import read
from cologen.evaluation.worldbench.statements import statements
from cologen.evaluation.worldbench.subject_measures import customized

Values = Mapping[str, float | None]
Measure = Callable[[Picture, object, LevelName], Values]

MOST_L1 = 2.0
"""The largest difference of two pictures in [-1, 1]."""


def _text(output: Picture, caption: object, level: LevelName) -> Values:
    assert isinstance(caption, str)
    found = said(statements(caption), read(output, level))
    return {"objects": found.objects, "places": found.places, "ground": found.ground, "whole": found.whole}


def _inpaint(output: Picture, truth: object, level: LevelName) -> Values:
    assert isinstance(truth, Hole)
    found = inpainted(output, truth.original, truth.hole, truth.scene)
    return {"hidden": found.hidden, "nothing_added": found.nothing_added, "l1_outside": found.l1_outside}


def _grounding(output: Picture, truth: object, level: LevelName) -> Values:
    assert isinstance(truth, Mark)
    found = grounded(output, truth.rendering, truth.asked)
    right = float(found.iou >= 0.5 and found.color == found.target == 1)
    return {
        "marked": right, "iou": found.iou, "color": found.color, "target": found.target,
        "l1_outside": found.l1_outside,
    }  # fmt: skip


def _control(output: Picture, truth: object, level: LevelName) -> Values:
    assert isinstance(truth, Controlled)
    found: dict[str, float | None] = dict.fromkeys(("edge_f1", "miou", "depth_miou"))
    if truth.kind == "canny":
        return found | {"edge_f1": edge_f1(output, truth.edges)}
    miou = segmentation_miou(read(output, level), truth.labels)
    return found | {"miou" if truth.kind == "segmentation" else "depth_miou": miou}


def _depth(output: Picture, truth: object, level: LevelName) -> Values:
    assert isinstance(truth, Controlled)
    reading = read(output, level)
    found = depth_order(output, reading, truth.scene)
    return {"found": found.found, "order": found.order, "miou": segmentation_miou(reading, truth.labels)}


def _customized(output: Picture, truth: object, level: LevelName) -> Values:
    assert isinstance(truth, SubjectPair)
    found = customized(read(output, level), truth)
    prompt = found.prompt
    return {"subject": found.subject, "objects": prompt.objects, "ground": prompt.ground, "whole": found.whole}


def _editing(output: Picture, truth: object, level: LevelName) -> Values:
    assert isinstance(truth, Edited)
    found = edited(output, truth.source, truth.edit)
    return {
        "made": found.made, "kept": found.kept, "nothing_added": found.nothing_added, "whole": found.whole,
        "l1_outside": found.l1_outside,
    }  # fmt: skip


MEASURES: Mapping[str, tuple[Measure, Mapping[str, str]]] = MappingProxyType(
    {
        "text": (_text, {
            "objects": "share of the named objects that are there in shape and colour",
            "places": "share of the stated places that are right",
            "ground": "whether the ground is the stated one",
            "whole": "whether all that is said but sizes is right, and nothing else is there",
        }),
        "inpaint": (_inpaint, {
            "hidden": "share of the hidden objects that are there again in shape and colour",
            "nothing_added": "whether the hole has no more objects than it hid",
            "l1_outside": "L1 outside the hole, pixels in [-1, 1]",
        }),
        "grounding": (_grounding, {
            "marked": "whether the asked object is marked with IoU 0.5 or more in the asked colour",
            "iou": "IoU of the marked pixels with the asked ones",
            "color": "whether the mark has the asked colour",
            "target": "whether the asked object is marked and no other",
            "l1_outside": "L1 off the asked mark, pixels in [-1, 1]",
        }),
        "control": (_control, {
            "edge_f1": "F1 of the edges, of items made from edges",
            "miou": "mean IoU of the classes that are read, of items made from classes",
            "depth_miou": "mean IoU of the classes that are read, of items made from depth",
        }),
        "depth": (_depth, {
            "found": "share of the pairs that overlap of which both are read in their places",
            "order": "share of the pairs that overlap which are read with the nearer one in front",
            "miou": "mean IoU of the classes that are read",
        }),
        "customized": (_customized, {
            "subject": "whether an object has the subject's shape, colour and texture",
            "objects": "share of the prompt's objects that are there",
            "ground": "whether the ground is the prompt's",
            "whole": "whether all of it is right, and nothing else is there",
        }),
        "editing": (_editing, {
            "made": "whether the asked change is there",
            "kept": "share of the other objects that are as they were",
            "nothing_added": "whether there are no more objects than there should be",
            "whole": "whether the change is there, the rest is kept, the ground the same, and nothing else there",
            "l1_outside": "L1 where neither the object nor its shadow was or is, pixels in [-1, 1]",
        }),
    }
)  # fmt: skip
"""By task: one function for all values of an output, and what each value is."""


def metrics_of(task: str, truth: Callable[[str], object], level: LevelName) -> tuple[Metric, ...]:
    """The metrics of a task, which share one reading of each output."""
    measure, described = MEASURES[task]

    @lru_cache(maxsize=4)
    def values(content: bytes, shape: tuple[int, int, int], item_id: str) -> Values:
        return measure(np.frombuffer(content, np.uint8).reshape(shape), truth(item_id), level)

    def value_of(name: str) -> Callable[[Case], float | None]:
        return lambda case: values(case.output.tobytes(), case.output.shape, case.item.item_id)[name]

    return tuple(
        Metric(
            name=name,
            title=name.replace("_", " "),
            better="lower" if name.startswith("l1") else "higher",
            best=0.0 if name.startswith("l1") else 1.0,
            worst=MOST_L1 if name.startswith("l1") else 0.0,
            protocol=words,
            value=value_of(name),
        )
        for name, words in described.items()
    )
