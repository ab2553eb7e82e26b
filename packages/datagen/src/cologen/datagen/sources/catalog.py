"""Which sources there are, by the names the command lines use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

from cologen.datagen.pair_records import PairSource
from cologen.datagen.records import Source
from cologen.datagen.sources import ade20k, ade20k_full
from cologen.datagen.sources.ade20k import ADE20KChallenge
from cologen.datagen.sources.ade20k_full import ADE20KFull
from cologen.datagen.sources.coco import COCOStuff
from cologen.datagen.sources.journeydb import JourneyDB
from cologen.datagen.sources.layout import first_folder
from cologen.datagen.sources.lvis import LVIS
from cologen.datagen.sources.magicbrush import open_magicbrush
from cologen.datagen.sources.omniedit import OmniEdit
from cologen.datagen.sources.refcoco import RefCOCO
from cologen.datagen.sources.subjects200k import Subjects200K
from cologen.datagen.sources.triplets import open_triplets


def open_ade20k(root: Path, split: str = "train") -> Source:
    """Whichever form of ADE20K lies in ``root``: the full one or the challenge's.

    Raises:
        FileNotFoundError: neither does.
        ValueError: an unknown split.
    """
    challenge = ["images", f"{ade20k.RELEASE}/images"]
    found = first_folder(root, [f"{ade20k_full.RELEASE}/images/ADE", "images/ADE", *challenge])
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


def open_source(name: str, root: Path, split: str) -> Source:
    """The dataset ``name`` under ``root``.

    Raises:
        ValueError: no such source or split, or an unwritable cache folder.
        FileNotFoundError: the root or something that belongs there is missing.
    """
    if name not in SOURCES:
        raise ValueError(f"no source {name!r}: expected one of {', '.join(SOURCES)}")
    return SOURCES[name](root, split)


def open_pair_source(name: str, root: Path, split: str) -> PairSource:
    """The dataset of pairs ``name`` under ``root``.

    Raises:
        ValueError: no such source or split, or an unwritable cache folder.
        FileNotFoundError: the root or something that belongs there is missing.
    """
    if name not in PAIR_SOURCES:
        raise ValueError(f"no source of pairs {name!r}: expected one of {', '.join(PAIR_SOURCES)}")
    return PAIR_SOURCES[name](root, split)
