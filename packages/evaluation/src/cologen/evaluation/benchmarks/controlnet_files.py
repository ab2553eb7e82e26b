"""The Parquet files on which ControlNet++ evaluates, and the control maps in them or made of their pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import PIL.Image
import torch

from cologen.datagen.control.edges import Thresholds, edges
from cologen.datagen.datasets.files.parquet_rows import ParquetRows, parquet_files
from cologen.datagen.datasets.files.requirements import require_root
from cologen.datagen.records import RejectedError
from cologen.evaluation.benchmarks import pictures
from cologen.evaluation.metrics.edges import canny_edges
from cologen.evaluation.records import ConditionMap, Picture, ScoreError

Network = Literal["hed", "lineart"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """The rows of a validation split; ``labels`` are class maps in a column of lists, read one by one."""

    root: Path
    rows: ParquetRows
    labels: ParquetRows | None
    caption: str


def open_files(
    root: Path, folders: Sequence[str], *, pictures: Sequence[str], caption: str, labels: str | None = None
) -> Files:
    """``data/validation-*.parquet`` below ``root`` or one of ``folders`` in it.

    Raises:
        FileNotFoundError: the folder or its Parquet files are missing.
        ValueError: a file without one of the columns.
    """
    require_root(root)
    folder = next((root / name for name in folders if (root / name).is_dir()), root)
    files = parquet_files(folder, "validation")
    return Files(
        root=root,
        rows=ParquetRows(root, files, pictures=pictures, values=[caption]),
        labels=ParquetRows(root, files, pictures=(), values=[labels]) if labels else None,
        caption=caption,
    )


def label_map(rows: ParquetRows, index: int) -> ConditionMap:
    """The class map of a row.

    Raises:
        ScoreError: ``bad_input``: the file is damaged, or it is no rectangle of numbers of 8 bits.
    """
    key = rows.key(index)
    try:
        (cell,) = rows.read(index).values()
        found = np.array(cell, dtype=np.uint8)
    except RejectedError as error:
        raise ScoreError("bad_input", f"{key}: {error}") from None
    except (ValueError, TypeError, OverflowError) as error:
        raise ScoreError("bad_input", f"{key}: expected a map of classes of 8 bits: {error}") from None
    if found.ndim != 2 or not found.size:
        raise ScoreError("bad_input", f"{key}: expected a map of classes, found shape {found.shape}")
    return found


def grey(picture: Picture) -> ConditionMap:
    """A map that is stored as a picture."""
    return np.array(PIL.Image.fromarray(picture).convert("L"))


def shown(condition: ConditionMap) -> Picture:
    """A map as a picture."""
    return np.repeat(condition[..., None], 3, axis=2)


def kornia_edges(picture: Picture) -> ConditionMap:
    """White edges on black, by the protocol's detector."""
    return canny_edges(picture).astype(np.uint8) * np.uint8(255)


def opencv_edges(picture: Picture) -> ConditionMap:
    """White edges on black, by ControlNet's annotator and this project's training data: thresholds 100 and 200."""
    return edges(picture, Thresholds())


def extracted(network: Network, weights: Path, picture: Picture) -> ConditionMap:
    """White lines on black in 8 bits, by HED or the lineart network.

    Raises:
        FileNotFoundError, ValueError: as the network's loader.
    """
    image = torch.from_numpy(np.moveaxis(picture, -1, 0)[None].astype(np.float32) / 255)
    found = _extractor(network, weights)(image)[0, 0].clamp(0, 1)
    return (255 * found).byte().cpu().numpy()


@lru_cache(maxsize=2)
def _extractor(network: Network, weights: Path) -> Callable[[torch.Tensor], torch.Tensor]:
    from cologen.datagen.control.hed import load_hed
    from cologen.datagen.control.lineart import load_lineart

    try:
        return load_hed(weights, device="cpu") if network == "hed" else load_lineart(weights, device="cpu")
    except ModuleNotFoundError as error:
        raise ValueError(
            f"conditions of {network} need the package {error.name}: install cologen-evaluation[control]"
        ) from None


def squashed_picture(root: Path, uri: str, side: int) -> Picture:
    """The picture as the protocol takes it: a square, bicubic, without a crop."""
    return pictures.squashed(pictures.picture(root, uri), side)
