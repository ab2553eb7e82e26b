"""Precomputes the maps of a part: pictures are decoded ahead on threads, networks run on batches of one size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cologen.datagen.control.depth import load_dpt
from cologen.datagen.control.hed import load_hed
from cologen.datagen.control.lineart import load_lineart
from cologen.datagen.control.maps import Extractor
from cologen.datagen.faults import attempt, attempt_each
from cologen.datagen.images import Picture, decode, read_bytes
from cologen.datagen.manifest import maps as control_maps
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.passes.map_networks import MapWeights
from cologen.datagen.records import RejectedError, Rejection

THREADS = 4  # that read, decode and encode while the network works

_Row = dict[str, Any]


class MapDrawer:
    """The networks of ``weights``, loaded.

    Raises:
        FileNotFoundError: a file of weights is missing.
        ValueError: it does not hold such weights.
    """

    def __init__(self, weights: MapWeights, batch_size: int) -> None:
        # Each core runs a part of its own already, and on the CPU the number of threads decides the last bits.
        torch.set_num_threads(1)
        self._batch_size = batch_size
        self._extractors: dict[str, Extractor] = {}
        if weights.depth:
            self._extractors["depth"] = load_dpt(weights.depth, device=weights.device)
        if weights.hed:
            self._extractors["hed"] = load_hed(weights.hed, device=weights.device)
        if weights.lineart:
            self._extractors["lineart"] = load_lineart(weights.lineart, device=weights.device)

    def draw(
        self, rows: Sequence[_Row], root: Path, folder: Folder, index: int, skip_unreadable: bool = False
    ) -> tuple[list[_Row], list[Rejection]]:
        """The rows of part ``index``, those with a network pointing at their maps, which are written into ``folder``.

        A picture that cannot be read, or of which the network makes no map, is rejected.
        """
        maps, refused = dict[str, bytes](), dict[str, Rejection]()
        with ThreadPoolExecutor(THREADS) as pool:
            for batch, pictures in self._read(pool, root, self._batches(rows), skip_unreadable):
                for row, made in zip(batch, self._maps(pool, batch[0]["condition"], pictures), strict=True):
                    if isinstance(made, RejectedError):
                        refused[row["sample_id"]] = made.of(row["sample_id"], "maps")
                    else:
                        maps[row["sample_id"]] = made
        addresses = control_maps.write_maps(folder, index, maps) if maps else {}
        kept = [row for row in rows if row["sample_id"] not in refused]
        return [
            _pointing(row, addresses[row["sample_id"]], maps[row["sample_id"]]) if row["sample_id"] in maps else row
            for row in kept
        ], list(refused.values())

    def _batches(self, rows: Sequence[_Row]) -> list[list[_Row]]:
        """The rows that have a network and no map yet, by network and size; a pure function of the part."""
        wanted = [row for row in rows if row["condition"] in self._extractors and row["condition_uri"] is None]
        groups = [list(group) for _, group in groupby(sorted(wanted, key=_form), key=_form)]
        step = self._batch_size
        return [group[start : start + step] for group in groups for start in range(0, len(group), step)]

    def _read(
        self, pool: ThreadPoolExecutor, root: Path, batches: list[list[_Row]], skip_unreadable: bool
    ) -> Iterator[tuple[list[_Row], list[Picture | RejectedError]]]:
        """Each batch with its pictures, read while the one before is drawn."""

        def begun(batch: list[_Row]) -> list[Future[Picture | RejectedError]]:
            return [
                pool.submit(attempt, partial(_picture, row, root), skip_unreadable=skip_unreadable) for row in batch
            ]

        waiting = begun((batches or [[]])[0])
        for batch, following in zip(batches, [*batches[1:], []], strict=True):
            pictures = [one.result() for one in waiting]
            waiting = begun(following)
            yield batch, pictures

    def _maps(
        self, pool: ThreadPoolExecutor, kind: str, pictures: list[Picture | RejectedError]
    ) -> list[bytes | RejectedError]:
        """The encoded map of each picture, or why it has none; those that were read go through the network together."""
        readable = [picture for picture in pictures if not isinstance(picture, RejectedError)]
        greys = attempt_each(partial(self._greys, kind), readable) if readable else []
        drawn = iter([*pool.map(_encoded, greys)])
        return [picture if isinstance(picture, RejectedError) else next(drawn) for picture in pictures]

    def _greys(self, kind: str, pictures: Sequence[Picture]) -> Sequence[np.ndarray]:
        images = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255
        maps = self._extractors[kind](images)
        return [*(255 * maps[:, 0]).round().byte().cpu().numpy()]


def _form(row: _Row) -> tuple[str, int, int]:
    return row["condition"], row["width"], row["height"]


def _picture(row: _Row, root: Path) -> Picture:
    return decode(read_bytes(root, row["image_uri"]), (row["width"], row["height"]))


def _encoded(grey: np.ndarray | RejectedError) -> bytes | RejectedError:
    return grey if isinstance(grey, RejectedError) else attempt(partial(control_maps.encode, grey))


def _pointing(row: _Row, address: str, data: bytes) -> _Row:
    size = {"condition_width": row["width"], "condition_height": row["height"]}
    return row | size | {"condition_uri": address, "online": False, "map_hash": control_maps.fingerprint(data)}
