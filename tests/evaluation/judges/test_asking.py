import io

import numpy as np
import PIL.Image

from cologen.evaluation.judges.asking import as_jpeg


def opened(content: bytes) -> PIL.Image.Image:
    return PIL.Image.open(io.BytesIO(content))


def test_a_picture_is_sent_as_jpeg_of_quality_75_in_the_source_s_size() -> None:
    source = np.zeros((24, 32, 3), dtype=np.uint8)
    output = np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)
    sent = opened(as_jpeg(output, source))
    assert (sent.format, sent.size) == ("JPEG", (32, 24))
    # The tables of libjpeg's quality 75: half of Annex K, whose first luminance entry is 16.
    assert sent.quantization[0][0] == 8


def test_a_picture_of_the_right_size_is_not_resampled() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    file = io.BytesIO()
    PIL.Image.fromarray(picture).save(file, "JPEG", quality=75)
    assert as_jpeg(picture, picture) == file.getvalue()
