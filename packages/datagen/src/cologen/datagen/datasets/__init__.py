"""The public datasets, read in their own formats: one file per dataset, opened by name with ``open_dataset``."""

from cologen.datagen.datasets.catalog import DATASETS, open_ade20k, open_dataset
from cologen.datagen.datasets.files.readings import Dataset, Item, Reading

__all__ = ["DATASETS", "Dataset", "Item", "Reading", "open_ade20k", "open_dataset"]
