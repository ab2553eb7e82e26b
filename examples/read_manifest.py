"""Read a manifest without CoLoGen: ``python examples/read_manifest.py DIR``. It needs pyarrow alone."""

import json
import sys
from collections import Counter
from pathlib import Path

import pyarrow.dataset as ds


def main(folder: str) -> None:
    """Print the manifest's counts, how often each kind of mask occurs, and one row."""
    manifest = json.loads(Path(folder, "manifest.json").read_text())
    print(f"{manifest['task']} from {manifest['source']}: {manifest['rows']:,} samples")
    print("rejected:", manifest["rejected"])
    rows = ds.dataset([f"{folder}/{part['file']}" for part in manifest["parts"]], format="parquet")
    if "mask_kind" in rows.schema.names:
        print(Counter(rows.to_table(["mask_kind"])["mask_kind"].to_pylist()))
    row = rows.head(1).to_pylist()[0]
    print({name: value for name, value in row.items() if not name.endswith("_rle")})


if __name__ == "__main__":
    main(sys.argv[1])
