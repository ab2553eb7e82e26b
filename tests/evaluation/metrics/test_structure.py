"""SSIM against scikit-image, multi-scale SSIM against its definition, and the two inversions of drawings."""

import numpy as np
import pytest
from scipy.ndimage import correlate1d
from skimage.metrics import structural_similarity

from cologen.evaluation.metrics.structure import ms_ssim, ssim, to_bytes, white_on_black
from cologen.evaluation.records import ScoreError
from tests.evaluation.metrics.cases import picture


def noisy(image: np.ndarray, spread: int, seed: int = 5) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(-spread, spread + 1, image.shape)
    return (image + noise).clip(0, 255).astype(np.uint8)


def blocks(side: int = 176) -> np.ndarray:
    coarse = np.random.default_rng(3).integers(0, 256, (11, 11), dtype=np.uint8)
    return np.kron(coarse, np.ones((side // 11, side // 11), dtype=np.uint8))


def test_it_is_scikit_image_s_inside_the_border() -> None:
    """They differ in what they reflect at a border, so both means are taken away from it."""
    first, second = picture(64, 80, seed=1), noisy(picture(64, 80, seed=1), 40)
    _, full = structural_similarity(
        first,
        second,
        channel_axis=2,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        full=True,
    )
    inner = np.zeros((64, 80), dtype=bool)
    inner[8:-8, 8:-8] = True
    assert ssim(second, first, inner) == pytest.approx(full[inner].mean(), abs=2e-5)


def test_equal_pictures_have_one_and_noise_lowers_it() -> None:
    image = picture(32, 32)
    values = [ssim(noisy(image, spread), image) for spread in (0, 10, 40, 120)]
    assert values[0] == pytest.approx(1, abs=1e-6)
    assert values == sorted(values, key=lambda value: -(value or 0))


def test_other_sizes_are_resized_and_too_small_ones_named() -> None:
    image = np.kron(picture(16, 16), np.ones((2, 2, 1), dtype=np.uint8))
    assert 0.5 < (ssim(image[::2, ::2], image) or 0) < 1
    with pytest.raises(ScoreError, match=r"wrong_size: SSIM needs sides of 11 pixels or more, got 20 x 10"):
        ssim(picture(10, 20), picture(10, 20))
    assert ssim(image, image, np.zeros((32, 32), dtype=bool)) is None


def by_definition(first: np.ndarray, second: np.ndarray) -> float:
    """Wang et al. (2003): contrast and structure of five scales, luminance of the last; a Gaussian of 11, sigma 1.5."""
    x, y = first.astype(np.float64) / 255, second.astype(np.float64) / 255
    kernel = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    kernel /= kernel.sum()

    def blurred(values: np.ndarray) -> np.ndarray:
        return correlate1d(correlate1d(values, kernel, 0, mode="mirror"), kernel, 1, mode="mirror")

    found = 1.0
    for scale, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        mx, my = blurred(x), blurred(y)
        vx, vy, cov = blurred(x * x) - mx**2, blurred(y * y) - my**2, blurred(x * y) - mx * my
        contrast = (2 * cov + 0.03**2) / (vx + vy + 0.03**2)
        if scale == 4:
            found *= (contrast * (2 * mx * my + 0.01**2) / (mx**2 + my**2 + 0.01**2)).mean() ** weight
        else:
            found *= contrast[5:-5, 5:-5].mean() ** weight
            x, y = (each.reshape(len(each) // 2, 2, -1, 2).mean(axis=(1, 3)) for each in (x, y))
    return float(found)


@pytest.mark.parametrize("spread", [0, 20, 60])
def test_multi_scale_is_its_definition(spread: int) -> None:
    """torchmetrics leaves the border out of the contrast of every scale and keeps it in the last scale's SSIM."""
    first = blocks()
    second = noisy(first, spread)
    assert ms_ssim(second, first) == pytest.approx(by_definition(second, first), abs=2e-4)


def test_small_maps_are_refused_in_one_clear_line() -> None:
    """torchmetrics' own message says over 160, but it refuses 161 to 175 too: a side is halved to whole numbers."""
    with pytest.raises(ScoreError, match=r"wrong_size: .* needs sides of 176 pixels or more, the map has 200 x 175"):
        ms_ssim(blocks()[:175], np.zeros((175, 200), dtype=np.uint8))
    side = np.zeros((176, 191), dtype=np.uint8)
    assert ms_ssim(side, side) == pytest.approx(1)


def test_bytes_are_cut_off_as_torchvision_does() -> None:
    import torch
    from torchvision.transforms.functional import to_pil_image

    levels = np.random.default_rng(0).random((7, 9), dtype=np.float32)
    assert np.array_equal(to_bytes(levels), np.asarray(to_pil_image(torch.from_numpy(levels))))
    assert to_bytes(np.array([[0.999, 1.2, -0.1]], dtype=np.float32)).tolist() == [[254, 255, 0]]


def test_inversions() -> None:
    drawing = np.array([[0, 1, 2, 128, 255]], dtype=np.uint8)
    assert white_on_black(drawing, "corrected").tolist() == [[255, 254, 253, 127, 0]]
    assert white_on_black(drawing, "wrapped").tolist() == [[1, 0, 255, 129, 2]]
