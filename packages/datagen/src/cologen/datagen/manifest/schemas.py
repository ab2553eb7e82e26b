"""The columns of every manifest, by task: what a row holds, in Arrow's types."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal

import pyarrow as pa

TrainedTask = Literal["inpaint", "grounding", "control", "customized", "editing"]
"""The paper's five tasks, in the order of the curriculum's stages, as in ``cologen.model.tasks``."""

Task = Literal["concepts", TrainedTask]
"""What a manifest's rows are: samples of a task, or the objects that were found in pictures."""

_BOX = pa.list_(pa.float32(), 4)  # xyxy, pixels
_COMMON = [
    pa.field("sample_id", pa.string(), nullable=False),
    pa.field("task", pa.string(), nullable=False),
    pa.field("source", pa.string(), nullable=False),
    pa.field("split", pa.string(), nullable=False),
    pa.field("image_uri", pa.string(), nullable=False),
    pa.field("width", pa.int32(), nullable=False),
    pa.field("height", pa.int32(), nullable=False),
    pa.field("caption", pa.string(), nullable=False),
    pa.field("seed", pa.uint64(), nullable=False),
]
_OBJECT = pa.struct(
    [
        pa.field("noun", pa.string()),
        pa.field("box", _BOX, nullable=False),
        pa.field("rle", pa.binary(), nullable=False),
        pa.field("score", pa.float32(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
    ]
)
_PAIR = [
    pa.field("source_uri", pa.string(), nullable=False),
    pa.field("target_uri", pa.string(), nullable=False),
    pa.field("source_box", _BOX),
    pa.field("target_box", _BOX),
    pa.field("source_hash", pa.uint64(), nullable=False),
    pa.field("target_hash", pa.uint64(), nullable=False),
    pa.field("instruction", pa.string(), nullable=False),
    pa.field("scores", pa.list_(pa.struct([("name", pa.string()), ("value", pa.float64())])), nullable=False),
]
SCHEMAS: dict[Task, pa.Schema] = {
    "inpaint": pa.schema(
        [
            *_COMMON,
            pa.field("mask_kind", pa.string(), nullable=False),
            pa.field("mask_rle", pa.binary(), nullable=False),
            pa.field("mask_area", pa.float32(), nullable=False),
            pa.field("object_noun", pa.string()),
            pa.field("object_box", _BOX),
            pa.field("object_rle", pa.binary()),
            pa.field("object_score", pa.float32()),
            pa.field("max_object_iou", pa.float32(), nullable=False),
            pa.field("max_object_coverage", pa.float32(), nullable=False),
        ]
    ),
    "grounding": pa.schema(
        [
            *_COMMON,
            pa.field("referring", pa.string(), nullable=False),
            pa.field("phrase", pa.string(), nullable=False),
            pa.field("instruction", pa.string(), nullable=False),
            pa.field("boxes", pa.list_(_BOX), nullable=False),
            pa.field("mask_rle", pa.binary()),
            pa.field("color", pa.string(), nullable=False),
            pa.field("color_rgb", pa.list_(pa.uint8(), 3), nullable=False),
            pa.field("line_width", pa.int32()),
            pa.field("opacity", pa.float32()),
            pa.field("inverse", pa.bool_(), nullable=False),
            pa.field("negative", pa.bool_(), nullable=False),
        ]
    ),
    "concepts": pa.schema(
        [
            *_COMMON,
            pa.field("captions", pa.list_(pa.string()), nullable=False),
            pa.field("nouns", pa.list_(pa.string()), nullable=False),
            pa.field("objects", pa.list_(_OBJECT), nullable=False),
        ]
    ),
    "control": pa.schema(
        [
            *_COMMON,
            pa.field("condition", pa.string(), nullable=False),
            pa.field("condition_uri", pa.string()),
            pa.field("condition_width", pa.int32()),
            pa.field("condition_height", pa.int32()),
            pa.field("online", pa.bool_(), nullable=False),
            pa.field("canny_low", pa.int32()),
            pa.field("canny_high", pa.int32()),
            pa.field("map_hash", pa.uint64()),
        ]
    ),
    "customized": pa.schema(
        [*_COMMON, *_PAIR, pa.field("subject", pa.string()), pa.field("direction", pa.string(), nullable=False)]
    ),
    "editing": pa.schema([*_COMMON, *_PAIR, pa.field("edit_type", pa.string(), nullable=False)]),
}
MORE_SOURCES = pa.field("more_source_uris", pa.list_(pa.string()), nullable=False)
"""The pictures that follow the first source of a pair, each taken whole. A part has this column only where one of its
rows has such pictures, so a manifest without them has the same bytes as before there was this column."""

_WITH_MORE_SOURCES = ("customized", "editing")


def more_sources(row: Mapping[str, Any]) -> tuple[str, ...]:
    """The addresses of a row's sources after the first one."""
    return tuple(row.get(MORE_SOURCES.name) or ())


def schema_of(task: Task, columns: Collection[str]) -> pa.Schema:
    """The schema of a part that has these columns."""
    return whole_schema(task) if MORE_SOURCES.name in columns else SCHEMAS[task]


def whole_schema(task: Task) -> pa.Schema:
    """All columns that a part of the task may have."""
    return SCHEMAS[task].append(MORE_SOURCES) if task in _WITH_MORE_SOURCES else SCHEMAS[task]


def completed(table: pa.Table, task: Task) -> pa.Table:
    """A part's rows with all columns that a part of the task may have."""
    if table.num_columns == len(whole_schema(task)):
        return table
    return table.append_column(MORE_SOURCES, pa.array([[]] * len(table), MORE_SOURCES.type))


MIX_COLUMNS: dict[Task, str | None] = {
    "inpaint": "mask_kind",
    "grounding": "referring",
    "concepts": None,
    "control": "condition",
    "customized": "direction",
    "editing": "edit_type",
}
REJECTED_SCHEMA = pa.schema(
    [pa.field(name, pa.string(), nullable=False) for name in ("sample_id", "stage", "reason", "detail")]
)
