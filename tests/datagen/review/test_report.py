"""The report shows samples of every kind, opens without a server, and survives pictures that are gone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cologen.datagen.manifest import Manifest, commit_part
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.passes.inpaint import InpaintRecipe, MaskPass
from cologen.datagen.passes.reading import Reader
from cologen.datagen.records import Image
from cologen.datagen.review.report import write_report
from cologen.datagen.review.sheet import Selection, chosen_rows, sheet_of
from cologen.datagen.world.formats import World, ensure


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Folder, Manifest, Path]:
    root = tmp_path_factory.mktemp("world") / "coco"
    ensure("cocostuff", root, World(num_scenes=30, width=64, height=64, seed=3))
    reader = Reader.of(Image, "cocostuff", root, "train", 10, None)
    folder = Folder.open(root.parent / "out")
    pass_ = MaskPass(folder=folder, recipe=InpaintRecipe(source=reader.recipe), reader=reader)
    folder.create()
    work = pass_.open()
    reports = [commit_part(folder, index, work(pass_.part(index))) for index in range(reader.recipe.num_parts)]
    return folder, pass_.manifest().finished(reports), root


def _page(folder: Folder) -> str:
    return folder.read("report.html").decode()


@pytest.mark.slow
def test_it_shows_as_many_of_each_kind_and_fetches_nothing(built: tuple[Folder, Manifest, Path]) -> None:
    folder, manifest, root = built
    write_report(folder, manifest, root, Selection(per_kind=3))
    page = _page(folder)
    assert page.count("<figure>") == 9
    assert [page.count(f"<b>{kind}</b>") for kind in ("random", "object", "irregular")] == [3, 3, 3]
    assert page.count("data:image/jpeg;base64,") == 27
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    assert not re.search(r"https?://", page)


def test_the_choice_is_by_seed_and_kind(built: tuple[Folder, Manifest, Path]) -> None:
    folder, manifest, _ = built
    chosen = chosen_rows(folder, manifest, Selection(per_kind=4, kind="object", seed=1))
    assert {row["mask_kind"] for row in chosen} == {"object"}
    assert chosen == chosen_rows(folder, manifest, Selection(per_kind=4, kind="object", seed=1))
    assert chosen != chosen_rows(folder, manifest, Selection(per_kind=4, kind="object", seed=2))


def test_pictures_that_are_gone_are_said_so(built: tuple[Folder, Manifest, Path], tmp_path: Path) -> None:
    folder, manifest, _ = built
    write_report(folder, manifest, tmp_path, Selection(per_kind=1))
    assert _page(folder).count("missing_image") == 3


@pytest.mark.slow
def test_rows_that_cannot_be_shown_end_neither_page_nor_sheet(
    built: tuple[Folder, Manifest, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, manifest, root = built
    rows = chosen_rows(folder, manifest, Selection(per_kind=1))
    broken = [
        {"image_uri": None},
        {"image_uri": "gone.jpg"},
        {"mask_area": None},
        {"width": 1 << 31},
        {"mask_rle": b"x"},
    ]
    rows += [rows[0] | change for change in broken]
    monkeypatch.setattr("cologen.datagen.review.report.chosen_rows", lambda *_: rows)
    monkeypatch.setattr("cologen.datagen.review.report.some_rows", lambda *_args, **_named: rows)
    write_report(folder, manifest, root)
    assert _page(folder).count("<figure>") == len(rows)
    assert _page(folder).count("internal_error") >= 2
    assert sheet_of(rows, root, 2, folder).width > sheet_of(rows[-1:], root, 2, folder).width
    with pytest.raises(ValueError, match="no samples"):
        sheet_of([], root, 2, folder)
