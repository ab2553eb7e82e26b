"""Single columns of a manifest's rows, for what is decided about all rows at once: sizes, kinds of conditions."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from cologen.trainer.data.manifests import ManifestRows


def read_columns(rows: ManifestRows, names: Sequence[str]) -> pa.Table:
    """These columns of all rows, in the order of ``names``: views into the mapped file, not copies of it."""
    with pa.memory_map(str(rows.file)) as file:
        schema = pa.ipc.open_file(file).schema
        options = pa.ipc.IpcReadOptions(included_fields=[schema.get_field_index(name) for name in names])
        return pa.ipc.open_file(file, options=options).read_all().select(list(names))
