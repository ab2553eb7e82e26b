"""Maps drawn in advance are the extractors' own, to the grey level, whatever the batches."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import nn
from transformers import DPTConfig, DPTForDepthEstimation

from cologen.datagen.control.annotators import annotator
from cologen.datagen.control.depth import load_dpt
from cologen.datagen.control.hed import load_hed
from cologen.datagen.control.lineart import load_lineart
from cologen.datagen.control.policy import ONLINE
from cologen.datagen.images import Picture
from cologen.datagen.manifest import commit_part, save_manifest
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.pair_records import Condition
from cologen.datagen.passes.control import ControlPass, ControlRecipe
from cologen.datagen.passes.drawing_maps import MapDrawer
from cologen.datagen.passes.map_networks import MapsRecipe, MapWeights
from cologen.datagen.passes.reading import Reader
from cologen.datagen.records import Reason
from cologen.datagen.review.verify import verify
from cologen.datagen.samples import render
from cologen.datagen.world.formats import World, ensure

SIDE = 64


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> MapWeights:
    """Networks of random weights, saved as the published checkpoints are."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    networks = {"hed": annotator("hed").ControlNetHED_Apache2(), "lineart": annotator("lineart").Generator(3, 1, 3)}
    for name, network in networks.items():
        for parameter in network.parameters():
            if parameter.ndim == 4:
                nn.init.kaiming_normal_(parameter)
        torch.save(network.state_dict(), folder / f"{name}.pth")
    sizes = {"hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 64}
    necks = {"neck_hidden_sizes": [16] * 4, "fusion_hidden_size": 16, "backbone_out_indices": [0, 1, 2, 3]}
    config = DPTConfig(**sizes, **necks, image_size=64, patch_size=16, is_hybrid=False, use_auxiliary_head=False)
    DPTForDepthEstimation(config).save_pretrained(folder / "dpt")
    return MapWeights(depth=folder / "dpt", hed=folder / "hed.pth", lineart=folder / "lineart.pth", device="cpu")


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader[Condition]:
    root = tmp_path_factory.mktemp("world") / "ade20k"
    ensure("ade20k", root, World(num_scenes=24, width=SIDE, height=SIDE, seed=7))
    return Reader.of(Condition, "ade20k", root, "train", 12, None)


def pass_over(reader: Reader[Condition], weights: MapWeights, out: Path, batch_size: int = 3) -> ControlPass:
    recipe = ControlRecipe(source=reader.recipe, maps=weights.recipe(batch_size))
    return ControlPass(folder=Folder.open(out), recipe=recipe, reader=reader, weights=weights)


def built(pass_: ControlPass) -> list[dict[str, Any]]:
    pass_.folder.create()
    work, rows, reports = pass_.open(), list[dict[str, Any]](), []
    for index in range(pass_.reader.recipe.num_parts):
        content = work(pass_.part(index))
        rows += [dict(zip(content.columns, row, strict=True)) for row in zip(*content.columns.values(), strict=True)]
        reports.append(commit_part(pass_.folder, index, content))
    save_manifest(pass_.folder, pass_.manifest().finished(reports))
    return rows


@dataclass(frozen=True)
class Drawn:
    pass_: ControlPass
    rows: list[dict[str, Any]]


@pytest.fixture(scope="module")
def drawn(reader: Reader[Condition], weights: MapWeights, tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    pass_ = pass_over(reader, weights, tmp_path_factory.mktemp("drawn") / "out")
    return Drawn(pass_, built(pass_))


def tensor(picture: Picture) -> torch.Tensor:
    return torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 255


@pytest.mark.slow
def test_what_is_drawn_in_advance_is_what_the_extractor_makes(
    drawn: Drawn, reader: Reader[Condition], weights: MapWeights
) -> None:
    pass_, rows = drawn.pass_, drawn.rows
    assert [one for found in verify(pass_.folder, reader.root, workers=1) for one in found] == []
    assert {row["condition"] for row in rows} == {"canny", "depth", "hed", "lineart", "segmentation"}
    assert not any(row["online"] for row in rows)
    assert weights.depth and weights.hed and weights.lineart
    extractors = {
        "depth": load_dpt(weights.depth, device="cpu"),
        "hed": load_hed(weights.hed, device="cpu"),
        "lineart": load_lineart(weights.lineart, device="cpu"),
    }
    for row in (row for row in rows if row["condition"] in extractors):
        sample = render(row, reader.root, pass_.folder)
        expected = 255 * extractors[row["condition"]](tensor(sample.target))[0].permute(1, 2, 0).numpy()
        assert row["map_hash"] is not None
        assert np.abs(sample.source - expected).max() <= 0.51  # rounded to grey levels, and no further off
        assert sample.source.std() > 1


@pytest.mark.slow
def test_batches_change_no_edge(drawn: Drawn, reader: Reader[Condition], weights: MapWeights, tmp_path: Path) -> None:
    """Those of HED and lineart: on the CPU these see one picture at a time, whatever the batch."""
    rows = built(pass_over(reader, weights, tmp_path / "out", batch_size=8))
    before, now = ([one["map_hash"] for one in found if one["condition"] in ONLINE] for found in (drawn.rows, rows))
    assert len(before) > 4
    assert before == now


def test_without_weights_rows_are_the_same_but_online(
    drawn: Drawn, reader: Reader[Condition], weights: MapWeights, tmp_path: Path
) -> None:
    alone = MapWeights(depth=weights.depth, device="cpu")
    fewer = {row["sample_id"]: row for row in built(pass_over(reader, alone, tmp_path / "depth"))}
    changed = {"condition_uri", "condition_width", "condition_height", "online", "map_hash"}
    for row in drawn.rows:
        other = fewer[row["sample_id"]]
        different = {name for name in row if row[name] != other[name]}
        assert different <= (changed if row["condition"] in ONLINE else {"condition_uri"})
        assert other["online"] == (row["condition"] in ONLINE)


def test_a_picture_that_breaks_off_is_turned_away(weights: MapWeights, tmp_path: Path) -> None:
    picture = cv2.imencode(".png", np.random.default_rng(0).integers(0, 255, (40, 50, 3), dtype=np.uint8))[1].tobytes()
    (tmp_path / "good.png").write_bytes(picture)
    (tmp_path / "bad.png").write_bytes(picture[:2000] + picture[3000:])
    row = {"condition": "hed", "condition_uri": None, "width": 50, "height": 40, "online": True}
    rows = [row | {"sample_id": name, "image_uri": f"{name}.png"} for name in ("good", "bad", "gone")]
    folder = Folder.open(tmp_path / "out")
    folder.create()
    kept, refused = MapDrawer(weights, 8).draw(rows, tmp_path, folder, 0)
    assert [one["sample_id"] for one in kept] == ["good"]
    assert {one.sample_id: one.reason for one in refused} == {
        "bad": Reason.TRUNCATED_IMAGE,
        "gone": Reason.MISSING_IMAGE,
    }


def test_damaged_maps_are_named(drawn: Drawn, tmp_path: Path) -> None:
    shutil.copytree(drawn.pass_.folder.path, tmp_path / "out")
    folder = Folder.open(tmp_path / "out")
    data = folder.read("maps-00000.parquet")
    place = data.index(b"IDAT") + 20
    folder.write("maps-00000.parquet", data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    folder.delete("maps-00001.parquet")
    found = [one for found in verify(folder, None, workers=1) for one in found]
    assert {one.file for one in found} == {"part-00000.parquet", "part-00001.parquet"}
    assert sum(one.file == "part-00000.parquet" for one in found) == 1


def test_recipes_know_weights_by_their_content(weights: MapWeights, tmp_path: Path) -> None:
    recipe = weights.recipe(8)
    assert recipe.kinds == {"depth", "hed", "lineart"}
    assert MapWeights().recipe(8) == MapsRecipe()
    with pytest.raises(FileNotFoundError, match="no file of weights"):
        MapWeights(hed=tmp_path / "nowhere.pth").recipe(8)
