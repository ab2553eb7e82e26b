"""A manifest: Parquet parts with one row per sample, and ``manifest.json`` as the contract with training."""

from cologen.datagen.manifest.contract import (
    CARD_NAME,
    MANIFEST_NAME,
    REPORT_NAME,
    Manifest,
    inspect_manifest,
    iterate_rows,
    load_manifest,
    recipe_hash,
    save_manifest,
)
from cologen.datagen.manifest.part_files import (
    PartContent,
    PartReport,
    commit_part,
    committed_part,
    part_file,
    read_part,
    rejected_file,
)

__all__ = [
    "CARD_NAME",
    "MANIFEST_NAME",
    "REPORT_NAME",
    "Manifest",
    "PartContent",
    "PartReport",
    "commit_part",
    "committed_part",
    "inspect_manifest",
    "iterate_rows",
    "load_manifest",
    "part_file",
    "read_part",
    "recipe_hash",
    "rejected_file",
    "save_manifest",
]
