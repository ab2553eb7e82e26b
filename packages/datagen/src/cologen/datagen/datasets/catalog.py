"""Registry of datasets, by what they hold and by the names that the command lines use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cologen.datagen.datasets import multigen
from cologen.datagen.datasets.ade20k import challenge as ade20k
from cologen.datagen.datasets.ade20k import full
from cologen.datagen.datasets.coco.coco_stuff import open_cocostuff
from cologen.datagen.datasets.coco.lvis import open_lvis
from cologen.datagen.datasets.coco.refcoco import open_refcoco
from cologen.datagen.datasets.files.readings import Dataset, Item
from cologen.datagen.datasets.files.requirements import first_folder
from cologen.datagen.datasets.files.spread import Spread
from cologen.datagen.datasets.journeydb import open_journeydb
from cologen.datagen.datasets.magicbrush import open_magicbrush
from cologen.datagen.datasets.multigen_parquet import open_multigen_parquet
from cologen.datagen.datasets.omniedit import open_omniedit
from cologen.datagen.datasets.subjects200k import open_subjects200k
from cologen.datagen.datasets.triplets import open_triplets
from cologen.datagen.pair_records import Condition, Pair
from cologen.datagen.records import Image


def open_ade20k(root: Path, split: str = "train") -> Dataset[Image]:
    """ADE20K in the form that is in ``root``: the full one or the challenge's.

    Raises:
        FileNotFoundError: neither is there.
        ValueError: an unknown split.
    """
    challenge = ["images", f"{ade20k.RELEASE}/images"]
    folder = first_folder(root, [f"{full.RELEASE}/images/ADE", "images/ADE", *challenge])
    return full.open_full(root, split) if folder.name == "ADE" else ade20k.open_challenge(root, split)


def open_conditions(root: Path, split: str = "train", *, name: str) -> Dataset[Condition]:
    """The dataset of conditions ``name`` in ``root``; MultiGen in its lists, spread, or in Parquet.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: an unknown split, or another dataset is there.
    """
    if name == "multigen" and any((root / folder).is_dir() for folder in multigen.FOLDERS):
        return Spread(multigen.open_multigen(root, split))
    dataset = open_multigen_parquet(root, split)
    if dataset.name != name:
        raise ValueError(f"the columns of the Parquet files under {root} are those of {dataset.name}, not of {name}")
    return dataset


_IMAGES: Mapping[str, Callable[[Path, str], Dataset[Image]]] = MappingProxyType(
    {
        "journeydb": open_journeydb,
        "cocostuff": open_cocostuff,
        "ade20k": open_ade20k,
        "refcoco": partial(open_refcoco, name="refcoco"),
        "refcoco+": partial(open_refcoco, name="refcoco+"),
        "refcocog": partial(open_refcoco, name="refcocog"),
        "lvis": open_lvis,
    }
)
_PAIRS: Mapping[str, Callable[[Path, str], Dataset[Pair]]] = MappingProxyType(
    {
        "subjects200k": open_subjects200k,
        "omniedit": open_omniedit,
        "magicbrush": open_magicbrush,
        "triplets": open_triplets,
    }
)
_CONDITIONS: Mapping[str, Callable[[Path, str], Dataset[Condition]]] = MappingProxyType(
    {name: partial(open_conditions, name=name) for name in ("multigen", "multigen_depth", "ade20k", "cocostuff")}
)

DATASETS: Mapping[type, Mapping[str, Callable[[Path, str], Dataset[Any]]]] = MappingProxyType(
    {Image: _IMAGES, Pair: _PAIRS, Condition: _CONDITIONS}
)
"""The function that opens each dataset, by the record that it holds and by its name."""


def open_dataset(item: type[Item], name: str, root: Path, split: str) -> Dataset[Item]:
    """The dataset ``name`` of ``item`` (``Image``, ``Pair`` or ``Condition``) under ``root``.

    Raises:
        ValueError: no such dataset or split, or an unwritable cache folder.
        FileNotFoundError: the root or something that belongs there is missing.
    """
    datasets = DATASETS[item]
    if name not in datasets:
        raise ValueError(f"no dataset of {item.__name__.lower()}s {name!r}: expected one of {', '.join(datasets)}")
    return datasets[name](root, split)
