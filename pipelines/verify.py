"""``python -m pipelines.verify DIR``: recompute every hash, count and rule of a manifest."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.progress import Progress

from cologen.datagen.manifest import inspect_manifest
from cologen.datagen.manifest.folder import Folder, require_local
from cologen.datagen.review.verify import Finding, verify
from cologen.datagen.usage import require_range
from pipelines.console import CONSOLE, run

MAX_SHOWN = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyOptions:
    """Recompute every hash, count and rule of a manifest from its files: exit code 0 if all hold, 1 if any does not."""

    folder: Annotated[str, tyro.conf.Positional]
    """The manifest's folder: a path, or a URI that pyarrow opens (s3://…)."""
    root: Path | None = None
    """The folder of the pictures, to check their sizes too; by default where the manifest was built from."""
    workers: int | None = None
    """Processes; by default one per core."""

    def __post_init__(self) -> None:
        require_range(self, "workers", least=1)


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    return run(VerifyOptions, _verify, args)


def _verify(options: VerifyOptions) -> int:
    """Print what is wrong, and say how much was checked."""
    folder = Folder.open(options.folder)
    manifest, _ = inspect_manifest(folder)  # what is wrong with the file itself is listed with all else
    if options.root is not None:
        require_local(options.root, "--root")
    root = options.root or Path(manifest.root)
    pictures = root if root.is_dir() else None
    findings: list[Finding] = []
    with Progress(console=CONSOLE) as progress:
        steps = verify(folder, pictures, options.workers)
        for found in progress.track(steps, total=len(manifest.parts) + 2, description="verifying"):
            findings.extend(found)
    for finding in findings[:MAX_SHOWN]:
        CONSOLE.print(f"{finding.file} {finding.sample_id}: {finding.problem}")
    if len(findings) > MAX_SHOWN:
        CONSOLE.print(f"… and {len(findings) - MAX_SHOWN:,} more")
    looked = f"pictures under {root} looked at" if pictures else f"pictures not looked at: no folder {root}"
    verdict = f"{len(findings):,} problems" if findings else "all hold"
    CONSOLE.print(f"{manifest.rows:,} samples in {len(manifest.parts):,} parts, {looked}: {verdict}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
