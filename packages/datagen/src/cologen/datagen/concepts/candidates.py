"""Candidate objects: groups of patches from a merging tree, and connected regions of likely foreground."""

from __future__ import annotations

import heapq

import numpy as np
from jaxtyping import Bool, Float64
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from cologen.datagen.concepts.superpixels import Superpixels

_FOREGROUND_STEP = 30.0
"""The weight of a full step from background to foreground, in CIELAB units."""
_SIZE_EXPONENT = 0.25
"""Small groups merge earlier: their dissimilarity is multiplied by their share of the picture to this power."""
_LEVELS = (0.1, 0.25, 0.4, 0.55, 0.7, 0.85)

Groups = Bool[np.ndarray, "groups patches"]


def candidates(
    patches: Superpixels, foreground: Float64[np.ndarray, "patches"], min_area: float, max_area: float
) -> Groups:
    """The different groups whose share of the picture is in [``min_area``, ``max_area``]."""
    islands = _islands(patches, foreground)
    groups = np.concatenate([_merged(patches, foreground), islands, _closed(patches, islands)])
    shares = groups @ patches.areas / patches.areas.sum()
    return np.unique(groups[(shares >= min_area) & (shares <= max_area)], axis=0)


def grown(patches: Superpixels, groups: Groups) -> Groups:
    """Every group with its neighbours."""
    i, j = patches.pairs.T
    adjacent = np.eye(groups.shape[1], dtype=np.float32)
    adjacent[i, j] = adjacent[j, i] = 1
    return groups.astype(np.float32) @ adjacent > 0


def _closed(patches: Superpixels, groups: Groups) -> Groups:
    return ~grown(patches, ~grown(patches, groups))


def _islands(patches: Superpixels, foreground: Float64[np.ndarray, "patches"]) -> Groups:
    """The connected parts of the foreground above each level."""
    found = [np.zeros((0, len(foreground)), dtype=bool)]
    for level in _LEVELS:
        high = foreground > level
        i, j = patches.pairs[high[patches.pairs].all(axis=1)].T
        graph = csr_matrix((np.ones(len(i)), (i, j)), shape=(len(high), len(high)))
        count, part = connected_components(graph, directed=False)
        parts = part == np.arange(count)[:, None]
        found.append(parts[(parts & high).any(axis=1)])
    return np.concatenate(found)


def _merged(patches: Superpixels, foreground: Float64[np.ndarray, "patches"]) -> Groups:
    """All groups that arise when the two most similar neighbours are merged until one group is left."""
    forest = _Forest(patches, foreground)
    num = len(foreground)
    nodes = np.eye(2 * num - 1, num, dtype=bool)
    for node in range(num, len(nodes)):
        a, b = forest.merge(node)
        nodes[node] = nodes[a] | nodes[b]
    return nodes[num:]


class _Forest:
    """The groups not merged yet, with their neighbours and a queue of similar pairs (plain Python, since each step is
    tiny)."""

    def __init__(self, patches: Superpixels, foreground: Float64[np.ndarray, "patches"]) -> None:
        marks = np.concatenate([patches.colors, _FOREGROUND_STEP * foreground[:, None]], axis=1)
        self._marks: list[list[float]] = marks.tolist()
        self._shares: list[float] = (patches.areas / patches.areas.sum()).tolist()
        self._neighbours: list[dict[int, tuple[float, float]]] = [{} for _ in self._shares]
        for (i, j), length, step in zip(
            patches.pairs.tolist(), patches.lengths.tolist(), patches.steps.tolist(), strict=True
        ):
            self._neighbours[i][j] = self._neighbours[j][i] = (length, step)
        self._queue = [(self._unlikeness(i, j), i, j) for i, row in enumerate(self._neighbours) for j in row if i < j]
        heapq.heapify(self._queue)

    def merge(self, node: int) -> tuple[int, int]:
        """Merge the two most similar neighbours into ``node``, and return them."""
        a = b = 0
        while b not in self._neighbours[a]:
            _, a, b = heapq.heappop(self._queue)
        share = self._shares[a] + self._shares[b]
        weight = self._shares[a] / share
        self._shares.append(share)
        self._marks.append([weight * x + (1 - weight) * y for x, y in zip(self._marks[a], self._marks[b], strict=True)])
        self._neighbours.append(self._joined(a, b))
        for other, border in self._neighbours[node].items():
            row = self._neighbours[other]
            row.pop(a, None)
            row.pop(b, None)
            row[node] = border
            heapq.heappush(self._queue, (self._unlikeness(other, node), other, node))
        return a, b

    def _joined(self, a: int, b: int) -> dict[int, tuple[float, float]]:
        """The neighbours of both with their borders added; the two have none from now on."""
        row = dict(self._neighbours[a])
        for other, (length, step) in self._neighbours[b].items():
            known_length, known_step = row.get(other, (0.0, 0.0))
            row[other] = (known_length + length, known_step + step)
        self._neighbours[a] = self._neighbours[b] = {}
        return {other: border for other, border in row.items() if other not in (a, b)}

    def _unlikeness(self, a: int, b: int) -> float:
        """Half the mean step across the border, half the distance in colour and foreground, less for small groups."""
        length, step = self._neighbours[a][b]
        *color_a, foreground_a = self._marks[a]
        *color_b, foreground_b = self._marks[b]
        color = sum((x - y) ** 2 for x, y in zip(color_a, color_b, strict=True)) ** 0.5
        apart = 0.5 * (step / length + color + abs(foreground_a - foreground_b))
        return apart * min(self._shares[a], self._shares[b]) ** _SIZE_EXPONENT
