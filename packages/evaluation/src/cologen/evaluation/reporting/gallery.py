"""Outputs to look at: the best, median and worst by one metric, each beside its source and target."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from cologen.evaluation.metric import AnyMetric, ItemMetric, Metric
from cologen.evaluation.records import Item, Picture, ScoreError
from cologen.evaluation.reporting.table import ScoreTable

PicturesOf = Callable[[str, int], Mapping[str, Picture]]
"""An item's id and an output's number to pictures by name (source, output, target), in the order to show them in."""

LONGEST_SIDE = 256
"""Of a picture in a report, in pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gallery:
    """What to show: ``num_each`` outputs of each kind, by the metric's name; None takes the first that has numbers."""

    pictures: PicturesOf
    metric: str | None = None
    num_each: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An output of the gallery; ``uris`` are its pictures as data, ``problem`` says why there are none."""

    item: Item
    output: int
    values: Mapping[str, float]
    uris: Mapping[str, str]
    problem: str = ""


def chosen_metric(gallery: Gallery, metrics: Sequence[AnyMetric], table: ScoreTable) -> Metric | ItemMetric | None:
    """The metric that sorts the gallery; None where no metric has a number.

    Raises:
        ValueError: the asked one is not there, or has no number of single outputs.
    """
    able = [metric for metric in metrics if isinstance(metric, Metric | ItemMetric)]
    if gallery.metric is None:
        return next((each for each in able if not np.isnan(table.columns[each.name].values).all()), None)
    for metric in able:
        if metric.name == gallery.metric:
            return metric
    names = ", ".join(metric.name for metric in able)
    raise ValueError(
        f"a gallery is sorted by a metric that has a number for each output or item ({names}), got {gallery.metric!r}"
    )


def shown(gallery: Gallery, metric: Metric | ItemMetric, table: ScoreTable) -> dict[str, list[Shown]]:
    """The outputs by "best", "median" and "worst"; none is in two of them."""
    values = table.columns[metric.name].values
    rows = np.flatnonzero(~np.isnan(values))
    order = rows[np.argsort(values[rows] if metric.better == "lower" else -values[rows], kind="stable")]
    count = min(gallery.num_each, -(-len(order) // 3))
    middle = (len(order) - count) // 2
    picked = {"best": order[:count], "median": order[middle : middle + count], "worst": order[::-1][:count]}
    seen: set[int] = set()
    found: dict[str, list[Shown]] = {}
    for name in ("best", "worst", "median"):
        found[name] = [_shown(gallery, metric, table, int(row)) for row in picked[name] if int(row) not in seen]
        seen.update(map(int, picked[name]))
    return {name: found[name] for name in picked}


def _shown(gallery: Gallery, metric: Metric | ItemMetric, table: ScoreTable, row: int) -> Shown:
    layout = table.layout
    place, output = (row, 0) if isinstance(metric, ItemMetric) else layout.place_of(row)
    item, first = layout.items[place], int(layout.starts[place])
    values: dict[str, float] = {}
    for name, column in table.columns.items():
        if column.unit != "set":
            value = float(column.values[place if column.unit == "item" else first + output])
            values |= {} if np.isnan(value) else {name: value}
    try:
        uris = {name: data_uri(picture) for name, picture in gallery.pictures(item.item_id, output).items()}
    except ScoreError as error:
        return Shown(item=item, output=output, values=values, uris={}, problem=str(error))
    return Shown(item=item, output=output, values=values, uris=uris)


def data_uri(picture: Picture) -> str:
    """A small picture as JPEG; tiny ones grow by whole factors, so that their pixels can be seen."""
    height, width = picture.shape[:2]
    scale = LONGEST_SIDE / max(height, width)
    factor = max(1.0, float(int(scale))) if scale >= 1 else scale
    size = max(1, round(width * factor)), max(1, round(height * factor))
    drawn = cv2.resize(picture, size, interpolation=cv2.INTER_NEAREST if factor >= 1 else cv2.INTER_AREA)
    encoded = cv2.imencode(".jpg", drawn[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])[1]
    return f"data:image/jpeg;base64,{base64.b64encode(encoded.tobytes()).decode()}"
