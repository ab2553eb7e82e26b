"""Templates are the outlines themselves."""

import numpy as np
import pytest

from cologen.datagen.world.levels import LEVELS
from cologen.datagen.world.objects import Window, fill
from cologen.datagen.world.outlines import outline
from cologen.datagen.world.vocabulary import SHAPES
from cologen.evaluation.worldbench.templates import RADIUS, silhouette, templates


@pytest.mark.parametrize("shape", SHAPES)
def test_a_silhouette_is_the_filled_outline(shape: str) -> None:
    for x, y, radius, angle in ((20.0, 20.0, 12.0, 0.0), (18.3, 21.6, 9.5, 33.0)):
        filled = fill(outline(shape).loops, angle, Window(0, 0, 40, x, y, radius)) / 255
        difference = np.abs(silhouette(shape, x, y, radius, angle, 40) - filled)
        assert difference.sum() < 0.08 * filled.sum(), (shape, angle)


def test_every_shape_of_a_level_has_templates_of_its_area() -> None:
    bank = templates("usual")
    assert set(bank.shapes) == set(LEVELS["usual"].shapes)
    for shape, area in zip(bank.shapes, bank.coverage.sum(axis=0), strict=True):
        assert abs(area / (outline(shape).area * RADIUS**2) - 1) < 0.15, shape


def test_no_two_templates_of_a_shape_are_the_same() -> None:
    bank = templates("rich")
    for i in range(len(bank.shapes)):
        for j in range(i):
            if bank.shapes[i] == bank.shapes[j]:
                assert np.abs(bank.coverage[:, i] - bank.coverage[:, j]).sum() > 1, (bank.shapes[i], bank.angles[i])
