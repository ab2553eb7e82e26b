"""Maps beside a manifest come back as they were written, on any filesystem, and damage is a reason."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from pyarrow import fs

from cologen.datagen.manifest import maps as control_maps
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.randomness import generator
from cologen.datagen.records import Reason, RejectedError

GREYS = {f"x/{i}#0": generator(i).integers(0, 256, (20 + i, 30), dtype=np.uint8) for i in range(5)}


def encoded() -> dict[str, bytes]:
    return {sample_id: control_maps.encode(grey) for sample_id, grey in GREYS.items()}


@pytest.mark.parametrize("kind", ["local", "remote"])
def test_every_map_comes_back(tmp_path: Path, kind: str) -> None:
    local = fs.LocalFileSystem()
    folder = Folder.open(tmp_path) if kind == "local" else Folder(fs.SubTreeFileSystem(str(tmp_path), local), "out")
    folder.create()
    addresses = control_maps.write_maps(folder, 7, encoded())
    assert folder.names() == ["maps-00007.parquet"]
    for sample_id, address in addresses.items():
        data = control_maps.read_map(folder, address, control_maps.fingerprint(encoded()[sample_id]))
        assert (cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) == GREYS[sample_id]).all()
    before = folder.read("maps-00007.parquet")
    control_maps.write_maps(folder, 7, encoded())
    assert folder.read("maps-00007.parquet") == before


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("maps-00001.parquet#row=0&column=map", Reason.MISSING_IMAGE),
        ("maps-00000.parquet#row=9&column=map", Reason.MISSING_IMAGE),
        ("maps-00000.parquet#row=0&column=sample_id", Reason.MISSING_IMAGE),
        ("../maps-00000.parquet#row=0&column=map", Reason.UNSAFE_PATH),
        ("maps-00000.parquet", Reason.UNSAFE_PATH),
        ("broken.parquet#row=0&column=map", Reason.TRUNCATED_IMAGE),
    ],
)
def test_what_is_not_there_is_a_reason(tmp_path: Path, address: str, reason: Reason) -> None:
    folder = Folder.open(tmp_path)
    control_maps.write_maps(folder, 0, encoded())
    folder.write("broken.parquet", folder.read("maps-00000.parquet")[:-20])
    with pytest.raises(RejectedError) as caught:
        control_maps.read_map(folder, address, 0)
    assert caught.value.reason == reason


def test_no_flipped_bit_gives_another_map(tmp_path: Path) -> None:
    folder, maps = Folder.open(tmp_path), encoded()
    addresses = control_maps.write_maps(folder, 0, maps)
    path, num_noticed = tmp_path / "maps-00000.parquet", 0
    good = path.read_bytes()
    for place in range(0, len(good), 7):
        path.write_bytes(good[:place] + bytes([good[place] ^ 1 << place % 8]) + good[place + 1 :])
        for sample_id, address in addresses.items():
            try:
                data = control_maps.read_map(folder, address, control_maps.fingerprint(maps[sample_id]))
            except RejectedError:
                num_noticed += 1
            else:
                assert data == maps[sample_id]
    assert num_noticed > len(good) / 14
