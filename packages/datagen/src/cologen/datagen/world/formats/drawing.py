"""Renders every scene of the synthetic dataset once, in order, by one process or many: shared by all formats.

A format gives a task that turns one drawn scene into files and a row; the rows come back in the order of the scenes, so
the index files it writes from them are the same for any number of workers.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from pathlib import Path
from typing import Literal, TypeVar

import cv2
import numpy as np
from jaxtyping import UInt8

from cologen.datagen.world.captions import captions
from cologen.datagen.world.levels import LEVEL_NAMES, LevelName
from cologen.datagen.world.render import Rendering, render
from cologen.datagen.world.scene import Scene, sample_scene

Row = TypeVar("Row")
Split = Literal["train", "val"]
SPLITS: tuple[Split, Split] = ("train", "val")

Progress = Callable[[int], None]
"""Called with the number of scenes finished since the last call."""

JPEG_QUALITY = 95
CAPTIONS_PER_SCENE = 5
SIDE_LIMITS = (32, 1024)
_SCENES_PER_CHUNK = 8
_CHUNKS_AHEAD = 4


def silent(_num_scenes: int) -> None:
    """Ignores progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Which synthetic dataset: all that its pixels and words depend on; sides are pixels.

    Raises:
        ValueError: fewer than one scene, a side outside 32 to 1024, or no such level.
    """

    num_scenes: int
    width: int
    height: int
    seed: int
    level: LevelName = "rich"

    def __post_init__(self) -> None:
        low, high = SIDE_LIMITS
        if self.num_scenes < 1:
            raise ValueError(f"num_scenes must be at least 1, not {self.num_scenes}")
        for name, side in (("width", self.width), ("height", self.height)):
            if not low <= side <= high:
                raise ValueError(f"{name} must be {low} to {high} pixels, not {side}")
        if self.level not in LEVEL_NAMES:
            raise ValueError(f"level must be one of {', '.join(LEVEL_NAMES)}, not {self.level}")

    @property
    def name(self) -> str:
        """What its folders are called, behind the format's name."""
        level = "" if self.level == "rich" else f"-{self.level}"
        return f"{self.num_scenes}x{self.width}-seed{self.seed}{level}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """One scene with its pixels and its ``CAPTIONS_PER_SCENE`` captions, as a format's task gets it."""

    world: World
    index: int
    split: Split
    scene: Scene
    rendering: Rendering
    captions: tuple[str, ...]


def split_of(index: int) -> Split:
    """Every tenth scene is for validation, the second one first: of two scenes, each split has one."""
    return "val" if index % 10 == 1 else "train"


def draw(world: World, index: int) -> Drawing:
    """Scene ``index``, the same in every format."""
    scene = sample_scene(world.seed, index, world.level)
    return Drawing(
        world=world,
        index=index,
        split=split_of(index),
        scene=scene,
        rendering=render(scene, world.width, world.height),
        captions=captions(scene, CAPTIONS_PER_SCENE),
    )


def each_scene(
    world: World, task: Callable[[Drawing], Row], *, workers: int, progress: Progress = silent
) -> Iterator[Row]:
    """The task's row of every scene, in order.

    With several workers the task and its rows are pickled, and the caller's script needs its ``__main__`` guard.

    Raises:
        ValueError: fewer than one worker.
    """
    if workers < 1:
        raise ValueError(f"workers must be at least 1, not {workers}")
    run = partial(_rows, world, task)
    starts = range(0, world.num_scenes, _SCENES_PER_CHUNK)
    chunks = [range(start, min(start + _SCENES_PER_CHUNK, world.num_scenes)) for start in starts]
    for rows in map(run, chunks) if workers == 1 else _in_processes(run, chunks, workers):
        progress(len(rows))
        yield from rows


def jpeg(picture: UInt8[np.ndarray, "height width 3"]) -> bytes:
    """An RGB picture as JPEG of quality 95."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    return cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), quality)[1].tobytes()


def png(picture: UInt8[np.ndarray, "height width"] | UInt8[np.ndarray, "height width 3"]) -> bytes:
    """A map as PNG of mode L, or an RGB picture as PNG of mode RGB."""
    pixels = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".png", pixels)[1].tobytes()


def save(path: Path, content: bytes | str) -> None:
    """Write a file, text as UTF-8, and its parent folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def _rows(world: World, task: Callable[[Drawing], Row], indices: range) -> list[Row]:
    return [task(draw(world, index)) for index in indices]


def _in_processes(run: Callable[[range], list[Row]], chunks: Iterable[range], workers: int) -> Iterator[list[Row]]:
    # Spawned, not forked: a fork copies the locks of whatever threads the caller has running.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_begin_worker) as pool:
        waiting: deque[Future[list[Row]]] = deque()
        try:
            for chunk in chunks:
                with _interrupts_held():
                    waiting.append(pool.submit(run, chunk))
                # Rows that nobody has taken yet stay in memory, so only so many chunks are begun ahead.
                if len(waiting) > _CHUNKS_AHEAD * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _interrupts_held() -> Generator[None]:
    """Processes that start in this block never receive Ctrl-C; their parent handles it when the block ends."""
    resource_tracker.ensure_running()  # or starting it would end the block's effect
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin_worker() -> None:
    """Use one thread of OpenCV, and end with the parent, even if it is killed."""
    cv2.setNumThreads(1)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
