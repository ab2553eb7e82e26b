"""A column is what the rows say one by one, in their order."""

from pathlib import Path

from cologen.trainer.data.columns import read_columns
from cologen.trainer.data.manifests import open_manifest


def test_columns_are_those_of_the_rows(data: Path):
    rows = open_manifest(data / "control-online", "control")
    found = read_columns(rows, ["online", "sample_id", "width"])
    assert found.column_names == ["online", "sample_id", "width"]
    each = [rows.row(index) for index in range(len(rows))]
    assert found.to_pylist() == [{name: row[name] for name in found.column_names} for row in each]
