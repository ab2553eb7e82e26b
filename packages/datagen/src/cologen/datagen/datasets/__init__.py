"""The public datasets, read as they lie on disk: one file per dataset, opened by name with ``open_source``."""

from cologen.datagen.datasets.catalog import (
    CONDITION_SOURCES,
    PAIR_SOURCES,
    SOURCES,
    open_ade20k,
    open_condition_source,
    open_pair_source,
    open_source,
)

__all__ = [
    "CONDITION_SOURCES",
    "PAIR_SOURCES",
    "SOURCES",
    "open_ade20k",
    "open_condition_source",
    "open_pair_source",
    "open_source",
]
