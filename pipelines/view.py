"""``python -m pipelines.view DIR``: see what a manifest holds, as a table here and as a page for the browser."""

from __future__ import annotations

import sys
import webbrowser
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from cologen.datagen.manifest import REPORT_NAME, load_manifest
from cologen.datagen.manifest.folder import Folder, require_local
from cologen.datagen.review.report import write_report
from cologen.datagen.review.sheet import Selection, chosen_rows, sheet_of
from cologen.datagen.usage import require_picture, require_range, require_unused
from pipelines.console import CONSOLE, print_summary, run


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewOptions:
    """Print a manifest's summary and draw its report anew, with other samples if you like."""

    folder: Annotated[str, tyro.conf.Positional]
    """The manifest's folder: a path, or a URI that pyarrow opens (s3://…)."""
    root: Path | None = None
    """The folder of the pictures; by default where the manifest was built from."""
    per_kind: int = 8
    """Samples of each kind on the contact sheet."""
    kind: str | None = None
    """Show this kind alone, such as random, mask or an edit type."""
    seed: int = 0
    """Another seed shows other samples."""
    sheet: Path | None = None
    """Also write the samples as one picture (.png or .jpg), for machines without a browser."""
    columns: int = 2
    """Samples in a line of that picture."""
    browser: bool = False
    """Open the page in the web browser."""

    def __post_init__(self) -> None:
        require_range(self, "per_kind", "columns", least=1)
        require_picture(self, "sheet")
        if self.sheet is None:
            require_unused(self, "columns", without="--sheet")


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    return run(ViewOptions, _view, args)


def _view(options: ViewOptions) -> int:
    """Draw the report and say where it is."""
    folder = Folder.open(options.folder)
    manifest = load_manifest(folder)
    if not manifest.complete:
        raise ValueError(f"{folder} is not complete: run its build again to continue it, then view it")
    kinds = ", ".join(manifest.mix.achieved) or "none"
    if options.kind is not None and options.kind not in manifest.mix.achieved:
        raise ValueError(f"no kind {options.kind!r} in this manifest; there are {kinds}")
    selection = Selection(per_kind=options.per_kind, kind=options.kind, seed=options.seed)
    if options.root is not None:
        require_local(options.root, "--root")
    root = options.root or Path(manifest.root)
    write_report(folder, manifest, root, selection)
    if options.sheet:
        sheet_of(chosen_rows(folder, manifest, selection), root, options.columns, folder).save(options.sheet)
        CONSOLE.print(f"wrote {options.sheet}")
    print_summary(manifest, options.folder)
    if options.browser:
        webbrowser.open(Path(folder.path, REPORT_NAME).as_uri())
    return 0


if __name__ == "__main__":
    sys.exit(main())
