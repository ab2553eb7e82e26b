"""The public datasets, read as they lie on disk: one file per dataset, opened by name with ``open_source``."""

from cologen.datagen.sources.catalog import SOURCES, open_ade20k, open_source

__all__ = ["SOURCES", "open_ade20k", "open_source"]
