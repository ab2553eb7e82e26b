"""The mask pass: a pure function of (part, recipe), whatever gave it its objects."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from cologen.datagen.manifest import PartContent, commit_part
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.masks.policy import MaskMix, MaskPolicy
from cologen.datagen.passes.concepts import ConceptPass
from cologen.datagen.passes.inpaint import InpaintRecipe, MaskPass
from cologen.datagen.passes.reading import Reader
from cologen.datagen.passes.segmenters import ConceptRecipe, SaliencyRecipe
from cologen.datagen.randomness import derived_seed
from cologen.datagen.records import Image
from cologen.datagen.world.formats import World, ensure


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("world")
    for layout in ("cocostuff", "journeydb"):
        ensure(layout, root / layout, World(num_scenes=12, width=96, height=96, seed=4))
    return root


def _pass(root: Path, out: Path, **changes: object) -> MaskPass:
    reader = Reader.of(Image, "cocostuff", root / "cocostuff", "train", 5, None)
    return MaskPass(folder=Folder.open(out), recipe=InpaintRecipe(source=reader.recipe, **changes), reader=reader)  # type: ignore[arg-type]


def _content(pass_: MaskPass) -> list[PartContent]:
    work = pass_.open()
    return [work(pass_.part(index)) for index in range(pass_.reader.recipe.num_parts)]


def test_every_picture_gets_its_variants(root: Path, tmp_path: Path) -> None:
    pass_ = _pass(root, tmp_path, variants=3, seed=9)
    parts = _content(pass_)
    ids = [sample_id for part in parts for sample_id in part.columns["sample_id"]]
    assert len(ids) == len(set(ids)) == 3 * pass_.reader.recipe.num_images
    assert Counter(sample_id[-2:] for sample_id in ids).keys() == {"#0", "#1", "#2"}
    seeds = [seed for part in parts for seed in part.columns["seed"]]
    assert seeds == [derived_seed(9, sample_id) for sample_id in ids]
    captions = [caption for part in parts for caption in part.columns["caption"]]
    assert len(set(captions)) > pass_.reader.recipe.num_images  # variants of one picture differ in their words too


def test_the_mix_is_exact_over_all_parts(root: Path, tmp_path: Path) -> None:
    pass_ = _pass(root, tmp_path, variants=4, policy=MaskPolicy(mix=MaskMix(random=0.25, object=0.5, irregular=0.25)))
    made = Counter(kind for part in _content(pass_) for kind in part.columns["mask_kind"])
    total = made.total()
    assert total == 4 * pass_.reader.recipe.num_images
    for kind, share in (("random", 0.25), ("object", 0.5), ("irregular", 0.25)):
        assert made[kind] == pytest.approx(share * total, abs=1)


def test_opened_twice_it_gives_the_same(root: Path, tmp_path: Path) -> None:
    assert _content(_pass(root, tmp_path)) == _content(_pass(root, tmp_path))
    assert _content(_pass(root, tmp_path)) != _content(_pass(root, tmp_path, seed=1))


def test_concepts_pass_on_their_objects_and_their_rejections(root: Path, tmp_path: Path) -> None:
    broken = next(iter(sorted((root / "journeydb/data/train/imgs").rglob("*.jpg"))))
    broken.write_bytes(b"")
    reader = Reader.of(Image, "journeydb", root / "journeydb", "train", 50, None)
    found = ConceptRecipe(source=reader.recipe, nouns="lookups", segmenter=SaliencyRecipe())
    concepts = ConceptPass(folder=Folder.open(tmp_path / "concepts"), recipe=found, reader=reader, nouns="lookups")
    concepts.folder.create()
    content = concepts.open()(concepts.part(0))
    commit_part(concepts.folder, 0, content)
    recipe = InpaintRecipe(source=reader.recipe, concepts=found)
    masks = MaskPass(folder=Folder.open(tmp_path / "masks"), recipe=recipe, reader=reader, concepts=concepts)
    drawn = masks.open()(masks.part(0))
    assert [rejection.reason for rejection in content.rejections] == ["empty_file"]
    assert set(content.rejections) <= set(drawn.rejections)
    objects = {row["rle"] for rows in content.columns["objects"] for row in rows}
    assert {counts for counts in drawn.columns["object_rle"] if counts} <= objects
    assert len(drawn.columns["sample_id"]) + len(drawn.rejections) == reader.recipe.num_images
