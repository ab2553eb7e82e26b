from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from cologen.datagen.world.formats import WRITERS, World, ensure
from cologen.evaluation.benchmarks.catalog import BENCHMARKS, open_benchmark
from cologen.evaluation.benchmarks.options import Options
from cologen.evaluation.reporting.paper import paper_tables


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_entry_names_what_there_is(name: str) -> None:
    entry = BENCHMARKS[name]
    assert entry.name == name and entry.title and len(entry.description.splitlines()) == 1
    assert entry.format is None or entry.format in WRITERS
    assert entry.options <= {field.name for field in fields(Options)} and "limit" in entry.options


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_opens_on_its_synthetic_copy_and_measures_its_tables_columns(name: str, tmp_path: Path) -> None:
    entry, root = BENCHMARKS[name], None
    if entry.format is not None:
        ensure(entry.format, root := tmp_path, World(num_scenes=2, width=48, height=32, seed=3))
    found = open_benchmark(name, root, Options(limit=1))
    assert found.name == name and len(found.items) == 1
    measured = {metric.name: metric.better for metric in found.metrics}
    for table in paper_tables(found.tables):
        for column in table.columns:
            assert measured[column.metric] == column.better, table.key


GIVEN: dict[str, Any] = {
    "reference": "source", "clip": "some/clip", "captions": "local", "drop_identical_captions": True, "size": 64,
    "turns": "single", "split": "test", "language": "en", "subjects": ("can",), "extractor": Path("w.pth"),
    "edges": "kornia", "edits_seed": 3, "level": "usual", "limit": 1,
}  # fmt: skip


@pytest.mark.parametrize("name", BENCHMARKS)
def test_options_that_do_not_apply_are_refused_before_anything_is_read(name: str, tmp_path: Path) -> None:
    entry = BENCHMARKS[name]
    assert set(GIVEN) == {field.name for field in fields(Options)}
    for option in GIVEN.keys() - entry.options:
        with pytest.raises(ValueError, match=f"{name} has no option {option}"):
            open_benchmark(name, tmp_path, Options(**{option: GIVEN[option]}))


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_folder_is_asked_for_where_one_is_read(name: str) -> None:
    if BENCHMARKS[name].format is None:
        assert open_benchmark(name, None, Options(limit=1)).name == name
    else:
        with pytest.raises(ValueError, match=f"{name} reads a dataset: give its folder"):
            open_benchmark(name, None)


def test_an_unknown_benchmark_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no benchmark is called 'imagenet': expected one of magicbrush"):
        open_benchmark("imagenet", tmp_path)
