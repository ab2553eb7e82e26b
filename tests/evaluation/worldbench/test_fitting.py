"""A silhouette is found again, also where another object hides a part of it."""

import numpy as np
import pytest

from cologen.datagen.world.levels import LEVELS
from cologen.evaluation.worldbench.fitting import Maps, best_fit
from cologen.evaluation.worldbench.templates import silhouette


@pytest.mark.parametrize("shape", LEVELS["usual"].shapes)
def test_a_silhouette_is_found_with_its_place_and_size(shape: str) -> None:
    covered = silhouette(shape, 30.4, 27.7, 12.3, 10.0, 64)
    fit = best_fit(Maps.of(covered, covered > 0.5, np.zeros((64, 64), dtype=bool)), "usual")
    assert fit.shape == shape
    assert fit.value > 0.97
    assert abs(fit.x - 30.4) < 0.4 and abs(fit.y - 27.7) < 0.4 and abs(fit.radius / 12.3 - 1) < 0.04


def test_what_another_object_hides_is_not_missed() -> None:
    covered = silhouette("star", 30.0, 30.0, 15.0, 0.0, 64)
    hidden = np.zeros((64, 64), dtype=bool)
    hidden[:, 36:55] = True
    seen = np.where(hidden, np.float32(0), covered)
    fit = best_fit(Maps.of(seen, seen > 0.5, hidden), "usual")
    assert fit.shape == "star"
    assert abs(fit.x - 30) < 1.5 and abs(fit.y - 30) < 1.5


def test_the_same_part_cut_off_by_nothing_fits_worse() -> None:
    covered = silhouette("star", 30.0, 30.0, 15.0, 0.0, 64)
    covered[:, 36:] = 0
    fit = best_fit(Maps.of(covered, covered > 0.5, np.zeros((64, 64), dtype=bool)), "usual")
    assert fit.value < 0.93
