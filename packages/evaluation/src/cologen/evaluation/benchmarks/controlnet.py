"""Pictures from control maps, as ControlNet++ evaluates them (Li et al., 2024): canny, HED, lineart, depth, classes.

Everything is squashed to 512 x 512, four outputs are made for each prompt, and their maps are compared with the one
that was asked for. Three differences from the published script: an output's seed comes from its row and number and not
from the number of GPUs; maps are kept apart from pictures, so that FID sees no map; every caption is found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

from cologen.datagen.datasets.files import fields
from cologen.evaluation.benchmark import Benchmark
from cologen.evaluation.benchmarks import controlnet_files as files
from cologen.evaluation.benchmarks import pictures
from cologen.evaluation.benchmarks.controlnet_files import Files, Network
from cologen.evaluation.benchmarks.listing import listed, row_places, words
from cologen.evaluation.benchmarks.options import Options, choice, refuse_others
from cologen.evaluation.metric import AnyMetric
from cologen.evaluation.metrics.catalog import canny_f1, clip_text, depth_rmse, fid, miou, ms_ssim, ssim
from cologen.evaluation.records import ConditionMap, Expected, Item, Picture, Question

CANNY, HED, LINEART, DEPTH = "control_canny", "control_hed", "control_lineart", "control_depth"
ADE20K, COCOSTUFF = "control_ade20k", "control_cocostuff"
SIZE, NUM_OUTPUTS, NUM_STEPS, CFG_SCALE = 512, 4, 20, 7.5
NEGATIVE_PROMPT = "worst quality, low quality"
CLIP, INCEPTION = "openai/clip-vit-base-patch16", "models/inception-2015-12-05.pt"

PLAIN_OPTIONS = frozenset({"clip", "size", "limit"})
CANNY_OPTIONS = PLAIN_OPTIONS | {"edges"}
NETWORK_OPTIONS = PLAIN_OPTIONS | {"extractor"}

_TABLES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        CANNY: ("table-3-canny", "table-6-canny"),
        LINEART: ("table-3-lineart",),
        DEPTH: ("table-3-depth", "table-6-depth"),
        ADE20K: ("table-3-ade20k",),
        COCOSTUFF: ("table-3-coco-stuff",),
    }
)
_MULTIGEN = ("MultiGen-20M_canny_eval", "MultiGen-20M_depth_eval")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Maps:
    """Of one row: what the model is shown, and the map that an output is compared with, if not the target's own."""

    shown: Callable[[int, Picture], Picture]
    label: Callable[[int, Picture], ConditionMap] | None
    said: str
    """Where they come from, for the protocol."""


def open_canny(root: Path, options: Options) -> Benchmark:
    """MultiGen-20M_canny_eval. ``edges="opencv"`` shows other edges than those that are scored.

    Raises:
        FileNotFoundError, ValueError: as ``open_files``, or an option that it does not have.
    """
    refuse_others(options, CANNY, CANNY_OPTIONS)
    detector = choice(CANNY, "edges", options.edges, ("kornia", "opencv"))
    show = files.kornia_edges if detector == "kornia" else files.opencv_edges
    maps = _Maps(
        shown=lambda _index, target: files.shown(show(target)),
        label=lambda _index, target: files.kornia_edges(target),
        said="kornia, 0.1 and 0.2" + ("" if detector == "kornia" else "; shown are OpenCV's, 100 and 200"),
    )
    return _benchmark(CANNY, "MultiGen-20M canny", _plain(root), maps, (canny_f1(),), {}, options)


def open_hed(root: Path, options: Options) -> Benchmark:
    """MultiGen-20M_canny_eval, with soft edges of its pictures; ``extractor`` is needed to generate.

    Raises:
        FileNotFoundError, ValueError: as ``open_files``, or an option that it does not have.
    """
    return _of_network(
        HED, "MultiGen-20M HED", "hed", root, options, (ms_ssim(network="hed", against="target", name="ms_ssim"),)
    )


def open_lineart(root: Path, options: Options) -> Benchmark:
    """MultiGen-20M_canny_eval, with line drawings of its pictures; ``extractor`` is needed to generate.

    Raises:
        FileNotFoundError, ValueError: as ``open_files``, or an option that it does not have.
    """
    metrics = (
        ms_ssim(network="lineart", against="target", name="ms_ssim"),
        ms_ssim(network="lineart", against="target", form="wrapped", name="ms_ssim_wrapped"),
    )
    return _of_network(LINEART, "MultiGen-20M lineart", "lineart", root, options, metrics)


def open_depth(root: Path, options: Options) -> Benchmark:
    """MultiGen-20M_depth_eval, whose maps are shown and are the label.

    SSIM against the target is not ControlNet++'s: OminiControl and the paper's table 6 have it.

    Raises:
        FileNotFoundError, ValueError: as ``open_files``, or an option that it does not have.
    """
    refuse_others(options, DEPTH, PLAIN_OPTIONS)
    found = files.open_files(root, _MULTIGEN[1:], pictures=["image", "control_depth"], caption="text")
    stored = partial(_stored, found, "control_depth", options.size or SIZE)
    maps = _Maps(
        shown=lambda index, _target: stored(index),
        label=lambda index, _target: files.grey(pictures.picture(root, found.rows.uri(index, "control_depth"))),
        said="the column control_depth",
    )
    networks = {"depth": "Intel/dpt-large"}
    metrics = depth_rmse(), ssim(reference="target")
    return _benchmark(DEPTH, "MultiGen-20M depth", found, maps, metrics, networks, options)


def open_ade20k(root: Path, options: Options) -> Benchmark:
    """Captioned_ADE20K.

    Raises:
        FileNotFoundError, ValueError: as ``open_files``, or an option that it does not have.
    """
    network = "facebook/mask2former-swin-large-ade-semantic"
    metric = miou(num_classes=150, ignored=0)
    return _of_classes(ADE20K, "ADE20K segmentation", "Captioned_ADE20K", "seg_map", network, metric, root, options)


def open_cocostuff(root: Path, options: Options) -> Benchmark:
    """Captioned_COCOStuff, segmented by the protocol's own network, a file of mmsegmentation's.

    Raises:
        FileNotFoundError, ValueError: as ``open_files``, or an option that it does not have.
    """
    network = "models/deeplabv3_r101-d8_512x512_4x4_320k_coco-stuff164k_20210709_155402-3cbca14d.pth"
    metric, title = miou(num_classes=171, ignored=255), "COCO-Stuff segmentation"
    return _of_classes(COCOSTUFF, title, "Captioned_COCOStuff", "panoptic_seg_map", network, metric, root, options)


def _plain(root: Path) -> Files:
    return files.open_files(root, _MULTIGEN[:1], pictures=["image"], caption="text")


def _of_network(
    name: str, title: str, network: Network, root: Path, options: Options, metrics: Sequence[AnyMetric]
) -> Benchmark:
    refuse_others(options, name, NETWORK_OPTIONS)

    def show(_index: int, target: Picture) -> Picture:
        if options.extractor is None:
            raise ValueError(f"{name} makes its conditions by a network: give its weights (extractor)")
        return files.shown(files.extracted(network, options.extractor, target))

    maps = _Maps(shown=show, label=None, said=f"{network} of the target")
    networks = {network: "lllyasviel/Annotators"}
    return _benchmark(name, title, _plain(root), maps, metrics, networks, options)


def _of_classes(
    name: str, title: str, folder: str, column: str, network: str, metric: AnyMetric, root: Path, options: Options
) -> Benchmark:
    refuse_others(options, name, PLAIN_OPTIONS)
    found = files.open_files(root, [folder], pictures=["image", "control_seg"], caption="prompt", labels=column)
    labels = found.labels
    assert labels is not None, "they were asked for"
    stored = partial(_stored, found, "control_seg", options.size or SIZE)
    maps = _Maps(
        shown=lambda index, _target: stored(index),
        label=lambda index, _target: files.label_map(labels, index),
        said=f"shown is the column control_seg, the label is {column}",
    )
    return _benchmark(name, title, found, maps, (metric,), {"segmenter": network}, options)


def _benchmark(
    name: str,
    title: str,
    found: Files,
    maps: _Maps,
    metrics: Sequence[AnyMetric],
    networks: Mapping[str, str],
    options: Options,
) -> Benchmark:
    size = options.size or SIZE
    listing = listed(name, row_places(found.rows, partial(_made, found.caption)), options.limit)
    used = {"clip": options.clip or CLIP, "inception": INCEPTION, **networks}
    return Benchmark(
        name=name,
        title=title,
        items=listing.items,
        question=partial(_question, found, maps, size),
        expected=partial(_expected, found, maps, size),
        metrics=(*metrics, fid(), clip_text(name="clip_score", scale=100.0)),
        protocol={
            "condition": maps.said,
            "captions": found.caption,
            "resize": f"pictures and what is shown squashed to {size} x {size}, bicubic, without a crop",
            "outputs": f"{NUM_OUTPUTS} per prompt, each of its own seed",
            "sampling": f"{NUM_STEPS} steps, guidance {CFG_SCALE:g}, negative prompt {NEGATIVE_PROMPT!r}",
            **used,
            "items": listing.protocol,
            "dataset": found.rows.fingerprint,
        },
        rejected=listing.rejected,
        tables=_TABLES.get(name, ()),
        networks=used,
        sampling={"num_inference_steps": float(NUM_STEPS), "true_cfg_scale": CFG_SCALE},
    )


def _made(caption: str, index: int, row: fields.Record) -> tuple[Item, int]:
    item_id = str(index)
    item = Item(
        item_id=item_id,
        cluster=item_id,
        prompt=(prompt := words(row, caption)),
        task="control",
        texts={"output": prompt},
        num_outputs=NUM_OUTPUTS,
        output_names=(f"images/group_{{i}}/{item_id}.png", f"group_{{i}}/{item_id}.png"),
    )
    return item, index


def _question(found: Files, maps: _Maps, size: int, item: Item) -> Question:
    index = int(item.item_id)
    return Question(
        task="control",
        prompt=item.prompt,
        pictures=(maps.shown(index, _target(found, size, index)),),
        width=size,
        height=size,
        negative_prompt=NEGATIVE_PROMPT,
    )


def _expected(found: Files, maps: _Maps, size: int, item: Item) -> Expected:
    target = _target(found, size, int(item.item_id))
    label = maps.label(int(item.item_id), target) if maps.label else None
    return Expected(target=target, condition=label, texts=item.texts)


def _target(found: Files, size: int, index: int) -> Picture:
    return files.squashed_picture(found.root, found.rows.uri(index, "image"), size)


def _stored(found: Files, column: str, size: int, index: int) -> Picture:
    return files.squashed_picture(found.root, found.rows.uri(index, column), size)
