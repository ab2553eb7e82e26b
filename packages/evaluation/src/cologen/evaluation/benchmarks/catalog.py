"""The benchmarks by name: what each is, how it is opened, and which format of the synthetic dataset it reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

from cologen.evaluation.benchmark import Benchmark
from cologen.evaluation.benchmarks import (
    controlnet,
    dreambench,
    dreambench_plus,
    emu_edit,
    gedit,
    imgedit,
    magicbrush,
    procedural,
)
from cologen.evaluation.benchmarks.options import Options
from cologen.evaluation.benchmarks.world_tasks.opening import OPTIONS as WORLD_OPTIONS
from cologen.evaluation.benchmarks.world_tasks.opening import open_world_task

Opener = Callable[[Path | None, Options], Benchmark]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A benchmark that can be opened.

    ``format`` is the synthetic dataset's in the benchmark's own layout, so that all can be tried without a download;
    None where a benchmark needs no dataset. ``options`` are the fields of ``Options`` that it has.
    """

    name: str
    title: str
    description: str
    opener: Opener
    format: str | None
    options: frozenset[str]


def open_benchmark(name: str, root: Path | None, options: Options | None = None) -> Benchmark:
    """The benchmark of that name on the dataset in ``root``.

    Raises:
        ValueError: there is none, an option that it does not have, or a folder is missing or too many.
        FileNotFoundError: something that belongs into the folder is missing.
    """
    if name not in BENCHMARKS:
        raise ValueError(f"no benchmark is called {name!r}: expected one of {', '.join(BENCHMARKS)}")
    return BENCHMARKS[name].opener(root, options or Options())


def _in_folder(name: str, opener: Callable[[Path, Options], Benchmark]) -> Opener:
    def opened(root: Path | None, options: Options) -> Benchmark:
        if root is None:
            raise ValueError(f"{name} reads a dataset: give its folder")
        return opener(root, options)

    return opened


def _entry(
    name: str,
    title: str,
    opener: Callable[[Path, Options], Benchmark],
    format_: str,
    options: frozenset[str],
    description: str,
) -> Entry:
    return Entry(
        name=name,
        title=title,
        description=description,
        opener=_in_folder(name, opener),
        format=format_,
        options=options,
    )


_ENTRIES = (
    _entry(
        magicbrush.NAME, magicbrush.TITLE, magicbrush.open_magicbrush, "magicbrush_test", magicbrush.OPTIONS,
        "edits by hand, with masks and true results; every turn alone, or whole sessions",
    ),
    _entry(
        emu_edit.NAME, emu_edit.TITLE, emu_edit.open_emu_edit, "emu_edit", emu_edit.OPTIONS,
        "instructions of eight kinds with captions before and after; outputs are compared with the source",
    ),
    _entry(
        dreambench.NAME, dreambench.TITLE, dreambench.open_dreambench, "dreambench", dreambench.OPTIONS,
        "30 subjects by one photograph each, in 25 prompts of four outputs",
    ),
    _entry(
        dreambench_plus.NAME, dreambench_plus.TITLE, dreambench_plus.open_dreambench_plus, "dreambench_plus",
        dreambench_plus.OPTIONS,
        "150 pictures of animals, people, objects and styles in nine prompts each",
    ),
    _entry(
        controlnet.CANNY, "MultiGen-20M canny", controlnet.open_canny, "multigen_canny_eval", controlnet.CANNY_OPTIONS,
        "pictures from canny edges: F1, FID and CLIP score",
    ),
    _entry(
        controlnet.HED, "MultiGen-20M HED", controlnet.open_hed, "multigen_canny_eval", controlnet.NETWORK_OPTIONS,
        "pictures from soft edges: SSIM, FID and CLIP score",
    ),
    _entry(
        controlnet.LINEART, "MultiGen-20M lineart", controlnet.open_lineart, "multigen_canny_eval",
        controlnet.NETWORK_OPTIONS,
        "pictures from line drawings: SSIM, FID and CLIP score",
    ),
    _entry(
        controlnet.DEPTH, "MultiGen-20M depth", controlnet.open_depth, "multigen_depth_eval", controlnet.PLAIN_OPTIONS,
        "pictures from depth maps: RMSE, FID and CLIP score",
    ),
    _entry(
        controlnet.ADE20K, "ADE20K segmentation", controlnet.open_ade20k, "ade20k", controlnet.PLAIN_OPTIONS,
        "pictures from maps of 150 classes: mIoU, FID and CLIP score",
    ),
    _entry(
        controlnet.COCOSTUFF, "COCO-Stuff segmentation", controlnet.open_cocostuff, "captioned_cocostuff_eval",
        controlnet.PLAIN_OPTIONS,
        "pictures from maps of 171 classes: mIoU, FID and CLIP score",
    ),
    _entry(
        gedit.NAME, gedit.TITLE, gedit.open_gedit, "gedit_bench", gedit.OPTIONS,
        "real requests of eleven kinds in English and Chinese, scored by a judge",
    ),
    _entry(
        imgedit.NAME, imgedit.TITLE, imgedit.open_imgedit, "imgedit_bench", imgedit.OPTIONS,
        "edits of nine kinds on photographs, scored by a judge",
    ),
    Entry(
        name=procedural.NAME,
        title=procedural.TITLE,
        description="drawn edits of five kinds, right or wrong to the pixel; needs no dataset and no network",
        opener=procedural.open_procedural,
        format=None,
        options=procedural.OPTIONS,
    ),
    *(
        Entry(
            name=f"world_{task}",
            title=f"Synthetic dataset: {task}",
            description=f"{description}; read back from the output, without a dataset or a network",
            opener=partial(open_world_task, task),
            format=None,
            options=WORLD_OPTIONS,
        )
        for task, description in (
            ("text", "drawn scenes from their captions"),
            ("inpaint", "holes over objects of drawn scenes"),
            ("grounding", "frames and covers in named colours for objects that words mean"),
            ("control", "drawn scenes from edges, depth or classes"),
            ("depth", "drawn scenes in which an object covers another, from depth"),
            ("customized", "an object of one drawn scene in another"),
            ("editing", "edits of drawn scenes of five kinds"),
        )
    ),
)  # fmt: skip

BENCHMARKS: Mapping[str, Entry] = MappingProxyType({entry.name: entry for entry in _ENTRIES})
