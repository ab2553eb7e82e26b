"""A manifest: Parquet parts with one row per sample, and ``manifest.json`` as the contract with training."""

from cologen.datagen.manifest.contract import (
    CARD_NAME,
    MANIFEST_NAME,
    REPORT_NAME,
    Manifest,
    PartContent,
    PartReport,
    commit_part,
    committed_part,
    inspect_manifest,
    iterate_rows,
    load_manifest,
    part_file,
    read_part,
    recipe_hash,
    rejected_file,
    save_manifest,
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
