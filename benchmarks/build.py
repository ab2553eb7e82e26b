"""``python -m benchmarks.build``: what a build over annotated pictures costs beyond its bare kernels.

The kernels are what no build can do without: annotations to run lengths, making and encoding masks, writing Parquet.
They run here in one process over the same pictures and parts; the build runs on a Ray cluster of one core that has
started and warmed up before. CPU seconds are summed over the driver and every process of the cluster.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import psutil
from rich.console import Console

from cologen.datagen import rle
from cologen.datagen.engine.build import PartDone, build
from cologen.datagen.engine.cluster import Cluster, connected
from cologen.datagen.engine.jobs import Job
from cologen.datagen.manifest import PartContent, commit_part
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.masks.drawing import Canvas, DrawnMask
from cologen.datagen.masks.mixture import draw_masks
from cologen.datagen.masks.policy import MaskPolicy
from cologen.datagen.passes.inpaint import InpaintRecipe, MaskPass
from cologen.datagen.passes.reading import Reader
from cologen.datagen.records import Image, ObjectMask, RejectedError
from cologen.datagen.world.formats import World, ensure

SCENES, SIDE = 100, 512
SMALL, LARGE, PART_SIZE = 2_000, 20_000, 512
CONSOLE = Console()


def main() -> None:
    """Print CPU per sample of kernels and builds, their ratios, and the driver's memory."""
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as temporary:
        root, world = Path(temporary, "coco"), Path(temporary, "world")
        os.environ["COLOGEN_CACHE"] = str(Path(temporary, "cache"))
        ensure("cocostuff", world, World(num_scenes=SCENES, width=SIDE, height=SIDE, seed=0))
        _enlarge(world, root)
        _report(Bench(root=root, out=Path(temporary, "out")))


def _report(bench: Bench) -> None:
    start = time.process_time()
    bench.reader(LARGE)
    CONSOLE.print(f"listing {LARGE:,} pictures once: {time.process_time() - start:.1f} CPU s (not part of the builds)")
    with connected(Cluster(num_cpus=1)):
        bench.build("warm-up", PART_SIZE)
        small = [bench.build(f"small-{number}", SMALL) for number in range(3)]
        kernels = [bench.kernels("kernels-0")]
        large = [bench.build(f"large-{number}", LARGE) for number in range(2)]
        kernels.append(bench.kernels("kernels-1"))
    per_kernel = sum(kernels) / len(kernels) / LARGE
    per_small = median(run.cpu_seconds for run in small) / SMALL
    per_large = sum(run.cpu_seconds for run in large) / len(large) / LARGE
    each = {"kernels": per_kernel, f"build of {SMALL:,}": per_small, f"build of {LARGE:,}": per_large}
    CONSOLE.print("µs per sample: " + ", ".join(f"{name} {1e6 * cost:.0f}" for name, cost in each.items()))
    CONSOLE.print(f"build / kernels at {LARGE:,}: {per_large / per_kernel:.2f} (at most 1.3)")
    CONSOLE.print(f"cost per sample, {LARGE:,} / {SMALL:,}: {per_large / per_small:.2f} (at most 1.10)")
    growth = max(run.driver_growth for run in large) - max(run.driver_growth for run in small)
    CONSOLE.print(f"driver's memory, {LARGE:,} against {SMALL:,} samples: {growth / 2**20:+.1f} MiB")


@dataclass(frozen=True, slots=True)
class Run:
    """CPU seconds over driver and cluster, and the most the driver's memory grew in between, in bytes."""

    cpu_seconds: float
    driver_growth: int


@dataclass(frozen=True, slots=True)
class Bench:
    """The enlarged dataset, and a folder for what is made of it."""

    root: Path
    out: Path

    def reader(self, num_images: int) -> Reader[Image]:
        """The first pictures of the dataset."""
        return Reader.of(Image, "cocostuff", self.root, "train", PART_SIZE, num_images)

    def build(self, name: str, num_images: int) -> Run:
        """A whole build, from the open listing to the complete manifest."""
        reader = self.reader(num_images)
        pass_ = MaskPass(folder=Folder.open(self.out / name), recipe=InpaintRecipe(source=reader.recipe), reader=reader)
        driver = psutil.Process()
        before, memory = _cpu_seconds(driver), driver.memory_info().rss
        most = memory

        def on_part(_: PartDone) -> None:
            nonlocal most
            most = max(most, driver.memory_info().rss)

        [manifest] = build([Job(pass_=pass_)], Cluster(), on_part)
        assert manifest.rows == num_images, manifest.rejected
        return Run(_cpu_seconds(driver) - before, most - memory)

    def kernels(self, name: str) -> float:
        """CPU seconds of the bare kernels over all pictures; what they are given is prepared off the clock."""
        images = _annotated(self.root)
        folder = Folder.open(self.out / name)
        folder.create()
        start = time.process_time()
        for index in range(-(-LARGE // PART_SIZE)):
            canvases = [_canvas(*image) for image in images[index * PART_SIZE : (index + 1) * PART_SIZE]]
            drawn = draw_masks(canvases, MaskPolicy(), 0, index * PART_SIZE)
            commit_part(
                folder,
                index,
                PartContent.of("inpaint", [_row(*pair) for pair in zip(canvases, drawn, strict=True)], []),
            )
        return time.process_time() - start


def _cpu_seconds(driver: psutil.Process) -> float:
    """Of a process and all below it, those that have ended included."""
    times = [process.cpu_times() for process in (driver, *driver.children(recursive=True))]
    return sum(each.user + each.system + each.children_user + each.children_system for each in times)


def _annotated(root: Path) -> list[tuple[str, int, int, list[Any]]]:
    """Of each picture its id, height, width and the segmentations of its objects."""
    content = json.loads((root / "annotations/instances_train2017.json").read_text())
    shapes: dict[int, list[Any]] = {image["id"]: [] for image in content["images"]}
    for annotation in content["annotations"]:
        shapes[annotation["image_id"]].append(annotation["segmentation"])
    return [(f"{one['id']:012d}", one["height"], one["width"], shapes[one["id"]]) for one in content["images"]]


def _canvas(image_id: str, height: int, width: int, shapes: list[Any]) -> Canvas:
    counts = [
        rle.from_polygons(shape, height, width)
        if isinstance(shape, list)
        else rle.from_uncompressed(shape["counts"], height, width)
        for shape in shapes
    ]
    objects = tuple(ObjectMask(noun=None, box=rle.box(one, height, width), rle=one) for one in counts)
    return Canvas(sample_id=f"cocostuff/{image_id}#0", height=height, width=width, objects=objects)


def _row(canvas: Canvas, mask: DrawnMask | RejectedError) -> dict[str, Any]:
    assert isinstance(mask, DrawnMask)
    target = mask.target
    constants = {
        "task": "inpaint",
        "source": "cocostuff",
        "split": "train",
        "image_uri": canvas.sample_id,
        "caption": "a thing",
        "seed": 0,
    }
    return constants | {
        "sample_id": canvas.sample_id,
        "width": canvas.width,
        "height": canvas.height,
        "mask_kind": mask.kind,
        "mask_rle": mask.counts,
        "mask_area": mask.area,
        "object_noun": None,
        "object_box": target and target.box.xyxy(),
        "object_rle": target and target.rle,
        "object_score": 1.0,
        "max_object_iou": mask.max_object_iou,
        "max_object_coverage": mask.max_object_coverage,
    }


def _enlarge(world: Path, root: Path) -> None:
    """COCO's format with ``LARGE`` pictures: the synthetic dataset's, linked and annotated many times under new ids."""
    (root / "train2017").mkdir(parents=True)
    (root / "annotations").mkdir()
    for kind in ("instances", "captions"):
        file = json.loads((world / f"annotations/{kind}_train2017.json").read_text())
        known = file["images"]
        of_image: dict[int, list[dict[str, Any]]] = {image["id"]: [] for image in known}
        for annotation in file["annotations"]:
            of_image[annotation["image_id"]].append(annotation)
        images, annotations = list[dict[str, Any]](), list[dict[str, Any]]()
        for number in range(LARGE):
            image = known[number % len(known)]
            images.append(image | {"id": number + 1, "file_name": f"{number + 1:012d}.jpg"})
            for annotation in of_image[image["id"]]:
                annotations.append(annotation | {"id": len(annotations) + 1, "image_id": number + 1})
            if kind == "instances":
                os.link(world / "train2017" / image["file_name"], root / "train2017" / images[-1]["file_name"])
        text = json.dumps(file | {"images": images, "annotations": annotations})
        (root / f"annotations/{kind}_train2017.json").write_text(text)


if __name__ == "__main__":
    main()
