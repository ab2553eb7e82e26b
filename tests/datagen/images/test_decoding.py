import io
import os
import re
import struct
import tarfile
import tracemalloc
import zlib
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest

from cologen.datagen.images import decoding
from cologen.datagen.records import Reason, RejectedError

PHOTOS = sorted((Path(__file__).resolve().parents[4] / "shared/real/photos").glob("*.[jp][pn]g"))


def pattern(width: int = 48, height: int = 32, channels: int = 3) -> np.ndarray:
    """Smooth, so that JPEG keeps it, and without any symmetry."""
    y, x = np.mgrid[:height, :width]
    planes = [x * 4, y * 6, (x + 2 * y) * 2, 255 - x * 3]
    return np.stack(planes[:channels], axis=-1).astype(np.uint8)


def encoded(image: PIL.Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def jpeg(**options: object) -> bytes:
    return encoded(PIL.Image.fromarray(pattern()), "JPEG", quality=95, **options)


def png(mode: str = "RGB") -> bytes:
    return encoded(PIL.Image.fromarray(pattern()).convert(mode), "PNG")


def turned(orientation: int, form: str = "JPEG") -> bytes:
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    return encoded(PIL.Image.fromarray(pattern()), form, exif=exif.tobytes())


def probe(folder: Path, data: bytes, size: tuple[int, int] | None = None) -> tuple[int, int]:
    (folder / "picture").write_bytes(data)
    return decoding.probe(folder, "picture", size)


def refusals(folder: Path, data: bytes) -> tuple[Reason, Reason]:
    with pytest.raises(RejectedError) as by_probe:
        probe(folder, data)
    with pytest.raises(RejectedError) as by_decode:
        decoding.decode(data)
    return by_probe.value.reason, by_decode.value.reason


@pytest.mark.parametrize("form", ["JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF"])
def test_probe_and_decode_agree_with_pillow(form: str, tmp_path: Path) -> None:
    data = encoded(PIL.Image.fromarray(pattern()), form)
    expected = np.asarray(PIL.Image.open(io.BytesIO(data)).convert("RGB"))
    assert probe(tmp_path, data) == (48, 32)
    np.testing.assert_array_equal(decoding.decode(data), expected)


@pytest.mark.parametrize("options", [{"progressive": True}, {"subsampling": 0}, {"restart_marker_rows": 1}])
def test_every_kind_of_jpeg_decodes_as_in_pillow(options: dict[str, object], tmp_path: Path) -> None:
    data = jpeg(**options)
    assert probe(tmp_path, data) == (48, 32)
    np.testing.assert_array_equal(decoding.decode(data), np.asarray(PIL.Image.open(io.BytesIO(data))))


@pytest.mark.parametrize("mode", ["L", "P", "1", "LA"])
def test_other_modes_become_rgb(mode: str, tmp_path: Path) -> None:
    data = png(mode)
    assert probe(tmp_path, data) == (48, 32)
    expected = PIL.Image.open(io.BytesIO(data)).convert("RGB")
    np.testing.assert_array_equal(decoding.decode(data), np.asarray(expected))


def test_grey_jpeg_becomes_rgb() -> None:
    pixels = decoding.decode(encoded(PIL.Image.fromarray(pattern()).convert("L"), "JPEG"))
    assert pixels.shape == (32, 48, 3)
    assert (pixels[..., :1] == pixels).all()


def test_alpha_is_laid_over_white() -> None:
    picture = np.zeros((20, 20, 4), dtype=np.uint8)
    picture[:10, :, 3] = 255
    pixels = decoding.decode(encoded(PIL.Image.fromarray(picture), "PNG"))
    assert (pixels[:10] == 0).all()
    assert (pixels[10:] == 255).all()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_pixels_and_size(orientation: int, form: str, tmp_path: Path) -> None:
    data = turned(orientation, form)
    expected = PIL.ImageOps.exif_transpose(PIL.Image.open(io.BytesIO(data))).convert("RGB")
    assert probe(tmp_path, data) == expected.size
    np.testing.assert_array_equal(decoding.decode(data), np.asarray(expected))


def test_an_annotation_on_the_stored_pixels_keeps_them_unturned(tmp_path: Path) -> None:
    data = turned(6)
    stored = np.asarray(PIL.Image.open(io.BytesIO(data)))
    assert probe(tmp_path, data) == (32, 48)
    assert probe(tmp_path, data, (48, 32)) == (48, 32)
    np.testing.assert_array_equal(decoding.decode(data, (48, 32)), stored)
    assert decoding.decode(data, (32, 48)).shape == (48, 32, 3)


def test_an_annotation_of_another_size_is_refused(tmp_path: Path) -> None:
    for attempt in (lambda: probe(tmp_path, jpeg(), (48, 33)), lambda: decoding.decode(jpeg(), (48, 33))):
        with pytest.raises(RejectedError, match="annotated 48x33, picture 48x32") as error:
            attempt()
        assert error.value.reason is Reason.SIZE_MISMATCH


@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("whole", [jpeg(), jpeg(progressive=True), png()], ids=["jpeg", "progressive", "png"])
def test_a_cut_file_is_truncated(whole: bytes, share: float, tmp_path: Path) -> None:
    part = whole[: max(10, int(len(whole) * share))]
    assert refusals(tmp_path, part) == (Reason.TRUNCATED_IMAGE, Reason.TRUNCATED_IMAGE)
    # A download into a file of full length leaves zeros behind the break.
    padded = part + bytes(len(whole) - len(part))
    assert set(refusals(tmp_path, padded)) <= {Reason.TRUNCATED_IMAGE, Reason.NOT_AN_IMAGE}


def test_a_cut_behind_an_embedded_thumbnail_is_truncated(tmp_path: Path) -> None:
    thumbnail = b"Exif\0\0" + jpeg()
    segment = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    whole = jpeg()[:2] + segment + jpeg()[2:]
    assert probe(tmp_path, whole) == (48, 32)
    assert refusals(tmp_path, whole[:-40]) == (Reason.TRUNCATED_IMAGE, Reason.TRUNCATED_IMAGE)


def test_a_png_damaged_in_the_middle_is_refused_when_decoded() -> None:
    data = bytearray(png())
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(RejectedError) as error:
        decoding.decode(bytes(data))
    assert error.value.reason is Reason.TRUNCATED_IMAGE


def _kept_as(data: bytes) -> tuple[bytes, bytes] | None:
    """The pixels as a picture and as a label map; None where both are refused."""
    try:
        picture = decoding.decode(data).tobytes()
    except RejectedError:
        with pytest.raises(RejectedError):
            decoding.decode_map(data)
        return None
    return picture, decoding.decode_map(data).tobytes()


def _pngs() -> list[bytes]:
    """RGB, palette with a transparent index, with text and EXIF behind the pixels, animated."""
    picture = PIL.Image.fromarray(pattern())
    late = png()[:-12] + chunk(b"tEXt", b"Comment\0what is here") + chunk(b"eXIf", turned_block(6)) + png()[-12:]
    animated = encoded(picture, "PNG", save_all=True, append_images=[picture.transpose(PIL.Image.Transpose.ROTATE_180)])
    return [png(), encoded(picture.quantize(16), "PNG", transparency=3), late, animated]


def turned_block(orientation: int) -> bytes:
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()[6:]


@pytest.mark.parametrize("index", range(4))
def test_no_flipped_bit_of_a_png_gives_other_pixels(index: int) -> None:
    whole = _pngs()[index]
    sound = _kept_as(whole)
    assert sound is not None
    kept = set[int]()
    step = max(1, 8 * len(whole) // 3000) | 1  # odd, so that all the bits of a byte have their turn
    for place in [*range(8 * 80), *range(8 * 80, 8 * len(whole), step)]:
        data = bytearray(whole)
        data[place // 8] ^= 1 << place % 8
        found = _kept_as(bytes(data))
        assert found in (None, sound), place
        if found is not None:
            kept.add(place // 8)
    text = whole.find(b"tEXt")
    assert kept <= (set(range(text, text + 40)) if text >= 0 else set())


@pytest.mark.parametrize("hole", [1, 16, 100])
def test_a_png_with_a_hole_of_zeros_is_refused(hole: int) -> None:
    grain = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    whole = encoded(PIL.Image.fromarray(grain), "PNG")
    sound = _kept_as(whole)
    for start in range(0, len(whole), 37):
        data = whole[:start] + bytes(hole) + whole[start + hole :]
        assert _kept_as(data) == (sound if data == whole else None)


def test_a_png_whose_text_alone_is_damaged_is_kept() -> None:
    text = bytearray(chunk(b"tEXt", b"Comment\0what is here"))
    text[12] ^= 1
    np.testing.assert_array_equal(decoding.decode(png()[:-12] + bytes(text) + png()[-12:]), pattern())


def test_interlaced_pngs_of_many_chunks_are_kept() -> None:
    """Adam7 as the format defines it: seven passes, each with its own filter bytes."""
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    rows = [row for x, y, dx, dy in passes for row in pattern()[y::dy, x::dx]]
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    pieces = [chunk(b"IDAT", packed[start : start + 50]) for start in range(0, len(packed), 50)]
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 48, 32, 8, 2, 0, 0, 1))
    whole = png()[:8] + header + b"".join(pieces) + chunk(b"IEND", b"")
    for data in (whole, whole + b"appended"):
        np.testing.assert_array_equal(decoding.decode(data), pattern())
    with pytest.raises(RejectedError, match="damaged"):
        decoding.decode(whole.replace(pieces[3], pieces[3][:-1] + bytes([pieces[3][-1] ^ 1])))


@pytest.mark.parametrize("trailer", [bytes(3), bytes(1000), b"SEFT camera data" * 20])
@pytest.mark.parametrize("whole", [jpeg(), png()], ids=["jpeg", "png"])
def test_what_cameras_append_does_no_harm(whole: bytes, trailer: bytes, tmp_path: Path) -> None:
    assert probe(tmp_path, whole + trailer) == (48, 32)
    assert decoding.decode(whole + trailer).shape == (32, 48, 3)


def test_a_header_longer_than_the_first_read_is_followed(tmp_path: Path) -> None:
    comment = b"\xff\xfe" + struct.pack(">H", 60_002) + bytes(60_000)
    assert probe(tmp_path, jpeg()[:2] + comment + jpeg()[2:]) == (48, 32)


@pytest.mark.parametrize("data", [b"<html>not here</html>", b"\xff\xd8\xff\xd9" * 5, bytes(100), b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_image_is_refused(data: bytes, tmp_path: Path) -> None:
    assert set(refusals(tmp_path, data)) <= {Reason.NOT_AN_IMAGE, Reason.TRUNCATED_IMAGE}


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"])
def test_what_is_wrong_is_said_in_the_same_words_every_time(form: str) -> None:
    whole = encoded(PIL.Image.fromarray(pattern()), form)
    for data in (bytes(10) + whole, whole[:10], whole[: len(whole) // 2], whole[:2] + bytes(90) + whole[2:]):
        details = set[str]()
        places = list[io.BytesIO]()  # so that the next file object lies elsewhere in memory
        for _ in range(3):
            with pytest.raises(RejectedError) as error:
                decoding.decode(data)
            details.add(error.value.detail)
            places.extend(io.BytesIO(data) for _ in range(3))
        assert len(details) == 1 and not re.search("at 0x[0-9a-f]", details.pop())


def test_pictures_of_16_bits_and_cmyk_are_converted(tmp_path: Path) -> None:
    levels = np.arange(32 * 32, dtype=np.uint16).reshape(32, 32) * 64
    deep = PIL.Image.fromarray(levels)
    for form in ("PNG", "TIFF"):
        data = encoded(deep, form)
        assert probe(tmp_path, data) == (32, 32)
        np.testing.assert_array_equal(decoding.decode(data)[..., 1], np.rint(levels / 257))
    for form in ("JPEG", "TIFF"):
        data = encoded(PIL.Image.new("CMYK", (32, 32), (0, 255, 255, 0)), form)
        assert probe(tmp_path, data) == (32, 32)
        red = decoding.decode(data).reshape(-1, 3).mean(axis=0)
        assert np.abs(red - [255, 0, 0]).max() < 3


def test_numbers_that_are_no_brightness_are_refused() -> None:
    for value in (np.float32(300), np.float32(np.nan), np.int32(-7), np.int32(70_000), np.int32(200)):
        with pytest.raises(RejectedError) as error:
            decoding.decode(encoded(PIL.Image.fromarray(np.full((20, 20), value)), "TIFF"))
        assert error.value.reason is Reason.UNSUPPORTED_MODE


def test_label_maps_of_16_bits_are_refused() -> None:
    deep = np.arange(32 * 32, dtype=np.uint16).reshape(32, 32)
    colors = np.repeat(deep[..., None], 3, axis=2)
    maps = [encoded(PIL.Image.fromarray(deep), form) for form in ("PNG", "TIFF")]
    maps += [cv2.imencode(form, colors)[1].tobytes() for form in (".png", ".tiff")]
    for data in maps:
        with pytest.raises(RejectedError) as error:
            decoding.decode_map(data)
        assert error.value.reason is Reason.UNSUPPORTED_MODE


@pytest.mark.parametrize("orientation", range(1, 9))
def test_label_maps_are_never_turned(orientation: int) -> None:
    for form in ("PNG", "TIFF"):
        np.testing.assert_array_equal(decoding.decode_map(turned(orientation, form), (48, 32)), pattern())


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


@pytest.mark.parametrize("orientation", [3, 6])
def test_every_place_of_a_turn_is_read(orientation: int, tmp_path: Path) -> None:
    """As Pillow does: EXIF in a PNG's text or behind its pixels, XMP where there is no EXIF, a long integer."""
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    block = exif.tobytes()[6:]
    long = b"MM\0\x2a\0\0\0\x08\0\1\x01\x12\0\4\0\0\0\1" + struct.pack(">I", orientation) + bytes(4)
    xmp = f'<rdf:Description tiff:Orientation="{orientation}"/>'.encode()
    profile = b"Raw profile type exif\0"
    text = b"\nexif\n%8d\n%s\n" % (len(block), block.hex().encode())
    at_pixels, at_end = png().index(b"IDAT") - 4, len(png()) - 12
    jpeg_xmp = b"http://ns.adobe.com/xap/1.0/\0" + xmp
    files = [
        *(png()[:place] + chunk(b"eXIf", block) + png()[place:] for place in (at_pixels, at_end)),
        png()[:at_pixels] + chunk(b"eXIf", long) + png()[at_pixels:],
        png()[:at_pixels] + chunk(b"tEXt", profile + text) + png()[at_pixels:],
        png()[:at_pixels] + chunk(b"zTXt", profile + b"\0" + zlib.compress(text)) + png()[at_pixels:],
        png()[:at_pixels] + chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp) + png()[at_pixels:],
        jpeg()[:2] + b"\xff\xe1" + struct.pack(">H", len(jpeg_xmp) + 2) + jpeg_xmp + jpeg()[2:],
    ]
    tiff = io.BytesIO()
    PIL.Image.fromarray(pattern()).save(tiff, "TIFF", tiffinfo={700: b"<x:xmpmeta>" + xmp + b"</x:xmpmeta>"})
    files.append(tiff.getvalue())
    for data in files:
        expected = PIL.ImageOps.exif_transpose(PIL.Image.open(io.BytesIO(data)))
        assert probe(tmp_path, data) == expected.size == ((32, 48) if orientation == 6 else (48, 32))
        np.testing.assert_array_equal(decoding.decode(data), np.asarray(expected))
    if orientation == 6:
        np.testing.assert_array_equal(decoding.decode(tiff.getvalue(), (48, 32)), pattern())


@pytest.mark.parametrize("form", ["PNG", "GIF", "WEBP", "TIFF", "BMP"])
def test_a_file_without_its_middle_is_refused(form: str) -> None:
    grain = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encoded(PIL.Image.fromarray(grain), form)
    for start in (len(data) // 3, len(data) // 2):
        with pytest.raises(RejectedError):
            decoding.decode(data[:start] + data[start + 500 :])


@pytest.mark.parametrize("form", ["JPEG", "PNG", "BMP"])
@pytest.mark.parametrize("size", [(1, 1), (15, 200), (200, 15)])
def test_small_pictures_are_refused(size: tuple[int, int], form: str, tmp_path: Path) -> None:
    data = encoded(PIL.Image.new("RGB", size), form)
    assert refusals(tmp_path, data) == (Reason.TOO_SMALL, Reason.TOO_SMALL)
    smallest = encoded(PIL.Image.new("RGB", (16, 16)), form)
    assert probe(tmp_path, smallest) == (16, 16)


def test_decompression_bombs_are_refused_before_they_unfold(tmp_path: Path) -> None:
    data = bytearray(png())
    data[16:24] = struct.pack(">II", 60_000, 60_000)
    assert refusals(tmp_path, bytes(data)) == (Reason.TOO_LARGE, Reason.TOO_LARGE)
    bmp = bytearray(encoded(PIL.Image.fromarray(pattern()), "BMP"))
    for side in (10_000, 60_000):
        bmp[18:26] = struct.pack("<ii", side, side)
        assert refusals(tmp_path, bytes(bmp)) == (Reason.TOO_LARGE, Reason.TOO_LARGE)


def test_sizes_are_judged_before_there_is_memory_for_them(tmp_path: Path) -> None:
    webp = bytearray(encoded(PIL.Image.fromarray(pattern()), "WEBP", lossless=True))
    webp[21:25] = (0xFFF_FFFF).to_bytes(4, "little")
    tiff = bytearray(encoded(PIL.Image.fromarray(pattern()), "TIFF"))
    for entry in range(10, 10 + 12 * tiff[8], 12):
        tag = {278: 322, 284: 323}.get(int.from_bytes(tiff[entry : entry + 2], "little"))
        if tag is not None:
            tiff[entry : entry + 12] = struct.pack("<HHII", tag, 4, 1, 1 << 20)
    for data in (bytes(webp), bytes(tiff)):
        assert refusals(tmp_path, data) == (Reason.TOO_LARGE, Reason.TOO_LARGE)


@pytest.mark.parametrize("kind", [b"iCCP", b"zTXt", b"iTXt"])
def test_compressed_metadata_does_not_unfold(kind: bytes) -> None:
    bomb = zlib.compress(bytes(40 << 20))
    head = {b"iCCP": b"icc\0\0", b"zTXt": b"Raw profile type exif\0\0", b"iTXt": b"XML:com.adobe.xmp\0\1\0\0\0"}
    place = png().index(b"IDAT") - 4
    data = png()[:place] + chunk(kind, head[kind] + bomb) + png()[place:]
    tracemalloc.start()
    with pytest.raises(RejectedError):
        decoding.decode(data)
    assert tracemalloc.get_traced_memory()[1] < 10 << 20
    tracemalloc.stop()


def test_a_file_larger_than_the_limit_is_refused_unread(tmp_path: Path) -> None:
    for start in (b"", jpeg(), b"GIF89a", b"BM"):
        with (tmp_path / "sparse.jpg").open("wb") as file:
            file.write(start)
            file.truncate(8 << 40)
        assert reason_of(tmp_path, "sparse.jpg") is Reason.TOO_LARGE


def test_a_picture_that_there_is_no_memory_for_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(decoding.jpeg, "decode", exhausted)
    with pytest.raises(RejectedError) as error:
        decoding.decode(jpeg())
    assert error.value.reason is Reason.TOO_LARGE


def test_label_maps_keep_their_values() -> None:
    values = np.arange(32 * 48, dtype=np.uint8).reshape(32, 48)
    palette = PIL.Image.fromarray(values, "L").convert("P")
    palette.putdata(values.ravel().tolist())
    np.testing.assert_array_equal(decoding.decode_map(encoded(PIL.Image.fromarray(values), "PNG"), (48, 32)), values)
    np.testing.assert_array_equal(decoding.decode_map(encoded(palette, "PNG")), values)
    np.testing.assert_array_equal(decoding.decode_map(png()), pattern())
    with pytest.raises(RejectedError) as error:
        decoding.decode_map(png(), (32, 48))
    assert error.value.reason is Reason.SIZE_MISMATCH


def reason_of(root: Path, uri: str) -> Reason:
    with pytest.raises(RejectedError) as by_probe:
        decoding.probe(root, uri)
    with pytest.raises(RejectedError) as by_read:
        decoding.read_bytes(root, uri)
    assert by_probe.value.reason is by_read.value.reason
    return by_probe.value.reason


@pytest.mark.parametrize(
    "uri",
    ["../a.jpg", "b/../../a.jpg", "/etc/passwd", "C:/a.jpg", "..\\a.jpg", "a\0.jpg", "", "./", "a.tar#../b", "\ud800"],
)
def test_paths_that_leave_the_root_are_refused(uri: str, tmp_path: Path) -> None:
    assert reason_of(tmp_path, uri) is Reason.UNSAFE_PATH


def test_absent_and_empty_files_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.jpg").touch()
    os.mkfifo(tmp_path / "pipe.jpg")
    for uri in ("none.jpg", "folder", "empty.jpg/a.jpg", "a" * 300, "pipe.jpg", "none.tgz#a.jpg"):
        assert reason_of(tmp_path, uri) is Reason.MISSING_IMAGE
    assert reason_of(tmp_path, "empty.jpg") is Reason.EMPTY_FILE


def test_a_dot_and_a_member_are_part_of_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLOGEN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "a").mkdir()
    (tmp_path / "a/b#c.jpg").write_bytes(jpeg())
    with tarfile.open(tmp_path / "shard.tar", "w") as archive:
        archive.add(tmp_path / "a/b#c.jpg", "./000/b.jpg")
    for uri in ("./a//b#c.jpg", "shard.tar#000/b.jpg", "shard.tar#./000/b.jpg"):
        assert decoding.read_bytes(tmp_path, uri) == jpeg()
        assert decoding.probe(tmp_path, uri) == (48, 32)


@pytest.mark.skipif(not PHOTOS, reason="no photographs at hand")
def test_photographs_decode_as_in_pillow() -> None:
    for path in PHOTOS[:6]:
        expected = PIL.ImageOps.exif_transpose(PIL.Image.open(path)).convert("RGB")
        assert decoding.probe(path.parent, path.name) == expected.size
        pixels = decoding.decode(path.read_bytes())
        if path.suffix == ".jpg":
            np.testing.assert_array_equal(pixels, np.asarray(expected))
