from __future__ import annotations

import numpy as np

from cologen.datagen.world.formats.ade20k_classes import NAMES, PARTS, full_index, label_map
from cologen.datagen.world.vocabulary import GROUND_CLASSES, OBJECT_CLASSES


def test_labels_follow_the_names() -> None:
    class_map = np.arange(len(NAMES), dtype=np.uint8)[None]
    labels = label_map(class_map)[0]
    assert [NAMES[label - 1] for label in labels] == [*OBJECT_CLASSES, *GROUND_CLASSES]
    assert labels.min() == 1 and labels.max() <= 150


def test_full_indices_differ_and_fit_the_colour_code() -> None:
    indices = [full_index(name) for name in (*NAMES, *PARTS)]
    assert len(set(indices)) == len(indices)
    assert min(indices) >= 1 and max(indices) <= 3688
    assert max(indices) > 256
