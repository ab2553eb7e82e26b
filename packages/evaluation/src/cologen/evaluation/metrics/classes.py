"""Mean IoU of class maps over all outputs together, as mmsegmentation counts it.

Whole confusion matrices are not kept: the areas on and off their diagonal are enough.

    IoU of a class = pixels where prediction and label both have it / pixels where at least one has it
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float
from PIL import Image

from cologen.evaluation.metric import Statistic, WithheldError
from cologen.evaluation.metrics.pixels import size_of
from cologen.evaluation.records import ConditionMap, ScoreError


def class_areas(
    prediction: Float[np.ndarray, "height width"], label: ConditionMap, *, num_classes: int, ignored: int
) -> Statistic:
    """Pixels by class: ``both``, ``predicted`` and ``labelled``; those with the label ``ignored`` do not count.

    Args:
        prediction: classes from 0 on, in the output's size; the label is scaled to it, nearest.
        label: the same classes, or, where 0 is ignored (ADE20K), the class plus 1.
        num_classes: of the prediction and of the labels that count.
        ignored: 0 or a value that is no class.

    Raises:
        ScoreError: ``bad_input``: a label that is no class and not the ignored one.
    """
    if label.shape != prediction.shape:
        label = np.asarray(Image.fromarray(label).resize(size_of(prediction), Image.Resampling.NEAREST))
    counted = label != ignored
    labels = label[counted].astype(np.int64) - (1 if ignored == 0 else 0)
    predictions = prediction[counted].astype(np.int64)
    _refuse_others(labels, num_classes, "label", "bad_input")
    _refuse_others(predictions, num_classes, "prediction", "not_finite")
    return {
        "both": np.bincount(labels[labels == predictions], minlength=num_classes),
        "predicted": np.bincount(predictions, minlength=num_classes),
        "labelled": np.bincount(labels, minlength=num_classes),
    }


def mean_iou(areas: Iterable[Statistic]) -> float:
    """The mean of the classes' IoU, in [0, 1]; classes in neither labels nor predictions are left out.

    Raises:
        WithheldError: no pixel counts.
    """
    both = predicted = labelled = np.zeros((), dtype=np.int64)
    for each in areas:
        both, predicted, labelled = both + each["both"], predicted + each["predicted"], labelled + each["labelled"]
    either = predicted + labelled - both
    if not either.any():
        raise WithheldError("no pixel has a label that counts")
    present = either > 0
    return float((both[present] / either[present]).mean())


def _refuse_others(classes: np.ndarray, num_classes: int, kind: str, reason: str) -> None:
    if classes.size and not 0 <= int(classes.min()) <= int(classes.max()) < num_classes:
        raise ScoreError(
            reason, f"a {kind} names class {int(classes.max())}, expected 0 to {num_classes - 1} and the ignored value"
        )
