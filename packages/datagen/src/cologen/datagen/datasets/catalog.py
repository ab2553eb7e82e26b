"""Which sources there are, by the names the command lines use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from cologen.datagen.datasets import multigen
from cologen.datagen.datasets.ade20k import challenge as ade20k
from cologen.datagen.datasets.ade20k import full
from cologen.datagen.datasets.ade20k.challenge import ADE20KChallenge
from cologen.datagen.datasets.ade20k.full import ADE20KFull
from cologen.datagen.datasets.coco.coco_stuff import COCOStuff
from cologen.datagen.datasets.coco.lvis import LVIS
from cologen.datagen.datasets.coco.refcoco import RefCOCO
from cologen.datagen.datasets.files.requirements import first_folder
from cologen.datagen.datasets.files.spread import Spread
from cologen.datagen.datasets.journeydb import JourneyDB
from cologen.datagen.datasets.magicbrush import open_magicbrush
from cologen.datagen.datasets.multigen import MultiGen
from cologen.datagen.datasets.multigen_parquet import MultiGenParquet
from cologen.datagen.datasets.omniedit import OmniEdit
from cologen.datagen.datasets.subjects200k import Subjects200K
from cologen.datagen.datasets.triplets import open_triplets
from cologen.datagen.pair_records import ConditionSource, PairSource
from cologen.datagen.records import Source

_Kind = TypeVar("_Kind")


def open_ade20k(root: Path, split: str = "train") -> Source:
    """Whichever form of ADE20K lies in ``root``: the full one or the challenge's.

    Raises:
        FileNotFoundError: neither does.
        ValueError: an unknown split.
    """
    challenge = ["images", f"{ade20k.RELEASE}/images"]
    found = first_folder(root, [f"{full.RELEASE}/images/ADE", "images/ADE", *challenge])
    return ADE20KFull(root, split) if found.name == "ADE" else ADE20KChallenge(root, split)


SOURCES: Mapping[str, Callable[[Path, str], Source]] = MappingProxyType(
    {
        "journeydb": JourneyDB,
        "cocostuff": COCOStuff,
        "ade20k": open_ade20k,
        "refcoco": partial(RefCOCO, name="refcoco"),
        "refcoco+": partial(RefCOCO, name="refcoco+"),
        "refcocog": partial(RefCOCO, name="refcocog"),
        "lvis": LVIS,
    }
)

PAIR_SOURCES: Mapping[str, Callable[[Path, str], PairSource]] = MappingProxyType(
    {
        "subjects200k": Subjects200K,
        "omniedit": OmniEdit,
        "magicbrush": open_magicbrush,
        "triplets": open_triplets,
    }
)


def open_conditions(root: Path, split: str = "train", *, name: str) -> ConditionSource:
    """The dataset of conditions ``name`` in ``root``; MultiGen in its lists, spread, or in Parquet.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: an unknown split, or another dataset lies there.
    """
    if name == "multigen" and any((root / folder).is_dir() for folder in multigen.FOLDERS):
        return Spread(MultiGen(root, split))
    source = MultiGenParquet(root, split)
    if source.name != name:
        raise ValueError(f"the columns of the Parquet files under {root} are those of {source.name}, not of {name}")
    return source


CONDITION_SOURCES: Mapping[str, Callable[[Path, str], ConditionSource]] = MappingProxyType(
    {name: partial(open_conditions, name=name) for name in ("multigen", "multigen_depth", "ade20k", "cocostuff")}
)


def open_source(name: str, root: Path, split: str) -> Source:
    """The dataset ``name`` under ``root``.

    Raises:
        ValueError: no such source or split, or an unwritable cache folder.
        FileNotFoundError: the root or something that belongs there is missing.
    """
    return _opener(SOURCES, "source", name)(root, split)


def open_pair_source(name: str, root: Path, split: str) -> PairSource:
    """The dataset of pairs ``name`` under ``root``.

    Raises:
        ValueError: no such source or split, or an unwritable cache folder.
        FileNotFoundError: the root or something that belongs there is missing.
    """
    return _opener(PAIR_SOURCES, "source of pairs", name)(root, split)


def open_condition_source(name: str, root: Path, split: str) -> ConditionSource:
    """The dataset of pictures and conditions ``name`` under ``root``.

    Raises:
        ValueError: no such source or split, or an unwritable cache folder.
        FileNotFoundError: the root or something that belongs there is missing.
    """
    return _opener(CONDITION_SOURCES, "source of conditions", name)(root, split)


def _opener(sources: Mapping[str, Callable[[Path, str], _Kind]], kind: str, name: str) -> Callable[[Path, str], _Kind]:
    if name not in sources:
        raise ValueError(f"no {kind} {name!r}: expected one of {', '.join(sources)}")
    return sources[name]
