import io
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest

from cologen.datagen import images
from cologen.datagen.datasets.journeydb import open_journeydb
from cologen.datagen.records import Reason

ROWS = "train_anno_realease_repath.jsonl"


def line(path: str, **others: object) -> bytes:
    row = {"img_path": f"./{path}", "prompt": "the prompt", "Task2": {"Caption": f"caption of {path}"}, **others}
    return json.dumps({name: value for name, value in row.items() if value is not ...}).encode()


def write(root: Path, lines: list[bytes], name: str = ROWS) -> None:
    folder = root / "data/train"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"\n".join(lines) + b"\n")


def pack(path: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w" if path.suffix == ".tar" else "w:gz") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


@pytest.fixture
def root(tmp_path: Path, put_picture: Any) -> Path:
    for name in ("000/a", "000/b", "001/c"):
        put_picture(tmp_path / f"journey/data/train/imgs/{name}.jpg")
    return tmp_path / "journey"


def test_rows_become_pictures_in_the_order_of_shards(root: Path, read_all: Any) -> None:
    write(root, [line("001/c.jpg"), line("000/b.jpg"), line("000/a.jpg")])
    found, rejections = read_all(open_journeydb(root))
    assert rejections == []
    assert list(found) == ["000/a", "000/b", "001/c"]
    image = found["000/a"]
    assert (image.image_uri, image.width, image.height) == ("data/train/imgs/000/a.jpg", 64, 48)
    assert (image.captions, image.objects, image.split) == (("caption of 000/a.jpg",), (), "train")


def test_the_root_may_be_data_or_the_folder_above(root: Path, read_all: Any) -> None:
    write(root, [line("000/a.jpg")])
    root.rename(root.with_name("JourneyDB"))
    for start in (root.with_name("JourneyDB"), root.with_name("JourneyDB") / "data", root.parent):
        (image,) = read_all(open_journeydb(start))[0].values()
        assert images.probe(start, image.image_uri) == (64, 48)


def test_validation_lies_in_valid(root: Path, read_all: Any) -> None:
    write(root, [line("000/a.jpg")])
    (root / "data/train").rename(root / "data/valid")
    (root / f"data/valid/{ROWS}").rename(root / "data/valid/valid_anno_repath.jsonl")
    assert read_all(open_journeydb(root, "val"))[0]["000/a"].split == "val"
    assert read_all(open_journeydb(root, "valid"))[0]["000/a"].split == "valid"


@pytest.mark.parametrize("task", [..., None, {}, {"Caption": None}, {"Caption": " \n"}, {"Caption": 3}, "text", []])
def test_a_missing_caption_falls_back_to_the_prompt(task: object, root: Path, read_all: Any) -> None:
    write(root, [line("000/a.jpg", Task2=task), line("000/b.jpg", Task2=task, prompt=None)])
    found, rejections = read_all(open_journeydb(root))
    assert found["000/a"].captions == ("the prompt",)
    assert rejections == [("journeydb/000/b", Reason.NULL_CAPTION)]


def test_every_bad_line_is_counted_and_takes_no_other_with_it(root: Path, read_all: Any) -> None:
    lines = [
        line("000/a.jpg"),
        b'{"img_path": "./000/x.jpg", "prompt": ',
        b"not json at all",
        b'{"img_path": "./000/y.jpg", "prompt": "\xff\xfe"}',
        b'{"img_path": "./000/z.jpg", "prompt": "half a pair \\ud83d"}',
        b"[1, 2]",
        b'{"prompt": "no path"}',
        b'{"img_path": 5, "prompt": "no path"}',
        b"",
        line("../../../etc/passwd.jpg"),
        line("000/a.jpg", prompt="again"),
        line("000/absent.jpg"),
        line("777/absent.jpg"),
        line("000/b.jpg"),
    ]
    write(root, lines)
    found, rejections = read_all(open_journeydb(root))
    assert list(found) == ["000/a", "000/b"]
    assert sorted(rejections) == [
        ("journeydb/../../../etc/passwd", Reason.UNSAFE_PATH),
        ("journeydb/000/a", Reason.DUPLICATE_ID),
        ("journeydb/000/absent", Reason.MISSING_IMAGE),
        ("journeydb/000/x", Reason.MALFORMED_JSON),
        ("journeydb/000/y", Reason.INVALID_UTF8),
        ("journeydb/000/z", Reason.INVALID_UTF8),
        ("journeydb/777/absent", Reason.MISSING_IMAGE),
        ("journeydb/line-000000003", Reason.MALFORMED_JSON),
        ("journeydb/line-000000006", Reason.MALFORMED_RECORD),
        ("journeydb/line-000000007", Reason.MALFORMED_RECORD),
        ("journeydb/line-000000008", Reason.MALFORMED_RECORD),
    ]


def test_every_bad_picture_is_counted_by_its_reason(root: Path, read_all: Any, spoil: Any) -> None:
    good = (root / "data/train/imgs/000/a.jpg").read_bytes()
    for reason, change in spoil.items():
        if (data := change(good)) is not None:
            (root / f"data/train/imgs/000/{reason}.jpg").write_bytes(data)
    write(root, [line(f"000/{name}.jpg") for name in ("a", *spoil)])
    found, rejections = read_all(open_journeydb(root))
    assert list(found) == ["000/a"]
    assert sorted(rejections) == sorted((f"journeydb/000/{reason}", reason) for reason in spoil)


def test_archives_give_the_same_as_folders(root: Path, read_all: Any) -> None:
    lines = [line("000/a.jpg"), line("000/b.jpg"), line("001/c.jpg"), line("001/absent.jpg")]
    write(root, lines)
    unpacked, rejections = read_all(open_journeydb(root))
    folder = root / "data/train"
    for shard in ("000", "001"):
        pack(
            folder / f"imgs/{shard}.tgz",
            {f"./{shard}/{p.name}": p.read_bytes() for p in folder.glob(f"imgs/{shard}/*")},
        )
        for path in folder.glob(f"imgs/{shard}/*"):
            path.unlink()
    rows = (folder / ROWS).read_bytes()
    pack(folder / f"{ROWS}.tgz", {f"._{ROWS}": b"macOS", ROWS: rows})
    (folder / ROWS).unlink()
    packed, packed_rejections = read_all(open_journeydb(root))
    assert packed_rejections == rejections == [("journeydb/001/absent", Reason.MISSING_IMAGE)]
    assert packed["000/b"].image_uri == "data/train/imgs/000.tgz#000/b.jpg"
    assert images.decode(images.read_bytes(root, packed["000/b"].image_uri)).shape == (48, 64, 3)
    assert [(i.image_id, i.captions, i.width) for i in packed.values()] == [
        (i.image_id, i.captions, i.width) for i in unpacked.values()
    ]


@pytest.mark.parametrize("suffix", ["tar", "tar.gz"])
def test_archives_may_have_other_suffixes(suffix: str, root: Path, read_all: Any) -> None:
    folder = root / "data/train"
    (folder / "imgs/777.tar").mkdir()
    write(root, [line("000/a.jpg"), line("001/c.jpg"), line("777/x.jpg")])
    members = {f"./000/{p.name}": p.read_bytes() for p in (folder / "imgs/000").iterdir()}
    pack(folder / f"imgs/000.{suffix}", members)
    pack(folder / f"{ROWS}.{suffix}", {ROWS: (folder / ROWS).read_bytes()})
    shutil.rmtree(folder / "imgs/000")
    (folder / ROWS).unlink()
    found, rejections = read_all(open_journeydb(root))
    assert [image.image_uri for image in found.values()] == [
        f"data/train/imgs/000.{suffix}#000/a.jpg", "data/train/imgs/001/c.jpg",
    ]  # fmt: skip
    assert images.decode(images.read_bytes(root, found["000/a"].image_uri)).shape == (48, 64, 3)
    assert rejections == [("journeydb/777/x", Reason.MISSING_IMAGE)]


@pytest.mark.parametrize("suffix", ["zip", "tar.zst"])
def test_an_archive_that_cannot_be_read_is_named(suffix: str, root: Path, read_all: Any) -> None:
    folder = root / "data/train"
    write(root, [line("000/a.jpg")])
    shutil.rmtree(folder / "imgs/000")
    (folder / f"imgs/000.{suffix}").write_bytes(b"PK")
    assert read_all(open_journeydb(root))[1] == [("journeydb/000/a", Reason.UNSUPPORTED_ARCHIVE)]


def test_a_picture_in_any_spelling_is_listed_once(root: Path, read_all: Any) -> None:
    spellings = [
        b'"000\\/a.jpg"', b'"\\u0030\\u0030\\u0030/a.jpg"', b'"./000//a.jpg"', b'".///000/./a.jpg"', b'"000/a.png"',
        b'"000\\/a.jpg", "score": NaN', b'"000/a.jpg", "tag": "\\ud83d"',
    ]  # fmt: skip
    rows = [b'{"prompt": "words", "img_path": %b}' % spelling for spelling in [b'"./000/a.jpg"', *spellings]]
    write(root, rows)
    found, rejections = read_all(open_journeydb(root))
    assert list(found) == ["000/a"]
    assert rejections == [("journeydb/000/a", Reason.DUPLICATE_ID)] * len(spellings)


def test_paths_that_cannot_be_are_one_rejection_each(root: Path, read_all: Any) -> None:
    names = ["x" * 300, "x" * 5000, "000/" + "y" * 300, "a\0b", "\ud83d", "000\\a", "\n", "c:/a"]
    write(root, [line("000/a.jpg"), *(line(f"{name}.jpg") for name in names)])
    found, rejections = read_all(open_journeydb(root))
    assert list(found) == ["000/a"]
    assert len(rejections) == len(names)
    assert {reason for _, reason in rejections} == {Reason.MISSING_IMAGE, Reason.UNSAFE_PATH, Reason.INVALID_UTF8}


@pytest.mark.parametrize("caption", [".", "…!", "\u200b", "\ufeff", "\u2060 -", "\x00", "nan", "N/A", "<NA>"])
def test_captions_that_show_no_word_are_none(caption: str, root: Path, read_all: Any) -> None:
    write(root, [line("000/a.jpg", Task2={"Caption": caption}), line("000/b.jpg", Task2=None, prompt=caption)])
    found, rejections = read_all(open_journeydb(root))
    assert [image.captions for image in found.values()] == [("the prompt",)]
    assert rejections == [("journeydb/000/b", Reason.NULL_CAPTION)]


def test_lists_may_begin_with_a_mark_and_end_lines_with_two_letters(root: Path, read_all: Any) -> None:
    rows = b"\xef\xbb\xbf" + line("000/a.jpg") + b"\r\n" + line("000/b.jpg") + b"\r\n"
    write(root, [rows])
    assert [list(read_all(open_journeydb(root))[0]), read_all(open_journeydb(root))[1]] == [["000/a", "000/b"], []]
    pack(root / f"data/train/{ROWS}.tgz", {ROWS: rows.decode("utf-8-sig").encode("utf-16")})
    (root / "data/train" / ROWS).unlink()
    with pytest.raises(ValueError, match=rf"{ROWS}\.tgz: UTF-16 text, expected UTF-8"):
        open_journeydb(root)


def test_only_the_repath_files_will_do(root: Path) -> None:
    write(root, [line("000/a.jpg")], "train_anno.jsonl")
    with pytest.raises(FileNotFoundError, match=r"no file \*_repath.*\(train_anno\.jsonl\): only the repath files"):
        open_journeydb(root)
    write(root, [line("000/a.jpg")])
    assert len(open_journeydb(root)) == 1


def test_what_is_missing_or_damaged_is_said_at_once(root: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        open_journeydb(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="data/valid"):
        open_journeydb(root, "val")
    with pytest.raises(ValueError, match="journeydb has no split 'test'"):
        open_journeydb(root, "test")
    pack(root / f"data/train/{ROWS}.tgz", {ROWS: line("000/a.jpg") * 1000})
    whole = (root / f"data/train/{ROWS}.tgz").read_bytes()
    for data in (whole[:-40], b"no archive"):
        (root / f"data/train/{ROWS}.tgz").write_bytes(data)
        with pytest.raises(ValueError, match="damaged archive"):
            open_journeydb(root)


def test_a_list_whose_archive_goes_backwards_is_refused(root: Path) -> None:
    """A negative size would send the standard library back to the same member, for ever."""
    path = root / f"data/train/{ROWS}.tar"
    pack(path, {"other.txt": b"x" * 600, ROWS: line("000/a.jpg")})
    data = bytearray(path.read_bytes())
    data[124:136] = (-1024).to_bytes(12, "big", signed=True)
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])
    path.write_bytes(data)
    with pytest.raises(ValueError, match=rf"{ROWS}\.tar: damaged archive"):
        open_journeydb(root)


def damaged_at(path: Path, name: str) -> int:
    """Damage a member's header; its place."""
    with tarfile.open(path) as archive:
        place = archive.getmember(name).offset
    data = bytearray(path.read_bytes())
    data[place + 1] ^= 1
    path.write_bytes(data)
    return place


def test_a_damaged_header_in_a_shard_is_one_counted_picture(root: Path, read_all: Any) -> None:
    """The shard is named with the place, and the pictures behind it are read."""
    folder = root / "data/train"
    good = (folder / "imgs/000/a.jpg").read_bytes()
    names = [f"000/{i}.jpg" for i in range(6)]
    write(root, [line(name) for name in names])
    shutil.rmtree(folder / "imgs/000")
    pack(folder / "imgs/000.tar", {f"./{name}": good for name in names})
    place = damaged_at(folder / "imgs/000.tar", "./000/2.jpg")
    found, rejections = read_all(open_journeydb(root))
    assert list(found) == [f"000/{i}" for i in (0, 1, 3, 4, 5)]
    assert rejections == [("journeydb/000/2", Reason.MISSING_IMAGE)]
    (rejection,) = open_journeydb(root).read(2).rejections
    words = f"000.tar is damaged or cut short, 5 of its members can be read: a damaged header at byte {place:,}"
    assert rejection.detail == words


@pytest.mark.parametrize("lost", ["first.txt", ROWS, "last.txt"])
def test_a_damaged_header_in_a_packed_list_is_one_error(lost: str, root: Path) -> None:
    """Rows that were lost could not be counted."""
    path = root / f"data/train/{ROWS}.tar"
    pack(path, {"first.txt": b"x", ROWS: line("000/a.jpg"), "last.txt": b"x"})
    place = damaged_at(path, lost)
    with pytest.raises(
        ValueError, match=rf"{ROWS}\.tar: damaged archive: (bad checksum|a damaged header) at byte {place:,}"
    ):
        open_journeydb(root)


def test_a_packed_list_that_is_cut_or_linked_is_one_error(root: Path) -> None:
    path = root / f"data/train/{ROWS}.tar"
    pack(path, {ROWS: line("000/a.jpg") + b"\n" + line("000/b.jpg")})
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(ValueError, match=rf"{ROWS}\.tar: damaged archive: cut short in '{ROWS}', after 88 bytes of it"):
        open_journeydb(root)
    with tarfile.open(path, "w") as archive:
        link = tarfile.TarInfo(ROWS)
        link.type, link.linkname = tarfile.SYMTYPE, "elsewhere.jsonl"
        archive.addfile(link)
    with pytest.raises(ValueError, match="is a link or a sparse file"):
        open_journeydb(root)


def test_the_fingerprint_follows_the_rows(root: Path) -> None:
    write(root, [line("000/a.jpg")])
    first = open_journeydb(root).fingerprint()
    assert open_journeydb(root).fingerprint() == first
    write(root, [line("000/a.jpg"), line("000/b.jpg")])
    assert open_journeydb(root).fingerprint() != first
