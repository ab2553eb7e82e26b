from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from cologen.evaluation.benchmarks import pictures
from cologen.evaluation.records import ScoreError
from tests.evaluation.benchmarks.benchmark_laws import encoded, plain, put


def test_damage_is_a_bad_input_with_the_address(tmp_path: Path) -> None:
    put(tmp_path / "half.png", encoded(plain())[:60])
    for uri, words in {"half.png": "truncated", "none.png": "missing_image", "../x.png": "unsafe_path"}.items():
        with pytest.raises(ScoreError, match=words) as caught:
            pictures.picture(tmp_path, uri)
        assert caught.value.reason == "bad_input" and uri in caught.value.detail


def test_a_region_is_where_a_mask_is_transparent(tmp_path: Path) -> None:
    layers = plain((1, 2, 3, 255))
    layers[4:9, 5:7, 3] = 0
    layers[0, 0, 3] = 128
    put(tmp_path / "mask.png", encoded(layers))
    region = pictures.erased(tmp_path, "mask.png", (32, 24))
    assert region.sum() == 10 and region[4:9, 5:7].all()
    with pytest.raises(ScoreError, match="size_mismatch"):
        pictures.erased(tmp_path, "mask.png", (24, 32))
    put(tmp_path / "opaque.png", encoded(plain()))
    with pytest.raises(ScoreError, match="expected a mask with an alpha channel"):
        pictures.erased(tmp_path, "opaque.png", (32, 24))


def test_squashing_is_bicubic_and_leaves_what_fits() -> None:
    values = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    wanted = PIL.Image.fromarray(values).resize((40, 40), PIL.Image.Resampling.BICUBIC)
    assert np.array_equal(pictures.squashed(values, 40), np.asarray(wanted))
    square = values[:, :24]
    assert pictures.squashed(square, 24) is square
