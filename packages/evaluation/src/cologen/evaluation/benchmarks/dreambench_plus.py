"""DreamBench++: 150 pictures of animals, people, objects and styles in nine prompts each (Peng et al., 2025).

Its part that needs no judge: CLIP ViT-B/32, and DINO of ViT-S/8 where other benchmarks take ViT-S/16. An output is
compared with the picture that was shown. A caption's file has the subject first, then a prompt on each line::

    images/live_subject/animal/00.jpg        captions/live_subject/animal/00.txt
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from cologen.datagen.datasets.files import fields, text_files
from cologen.datagen.datasets.files.requirements import first_folder
from cologen.datagen.images import addresses
from cologen.datagen.records import Reason, RejectedError
from cologen.evaluation.benchmark import Benchmark
from cologen.evaluation.benchmarks import pictures
from cologen.evaluation.benchmarks.listing import Listing, Place, fingerprint, listed, safe_id
from cologen.evaluation.benchmarks.options import Options, refuse_others
from cologen.evaluation.metrics.catalog import clip_image, clip_text, dino
from cologen.evaluation.records import Expected, Item, Question

NAME = "dreambench_plus"
TITLE = "DreamBench++"
OPTIONS = frozenset({"clip", "size", "limit"})
CLIP, DINO, SIZE = "openai/clip-vit-base-patch32", "facebook/dino-vits8", 512
NUM_PICTURES, NUM_PROMPTS = 150, 9

_LIVE = frozenset({"animal", "human"})
"""Categories that the published names of outputs begin with "live_subject_"."""

_UNSAFE = re.compile(r"[\s/\\{}]")
"""What an output's published name has as "_": blanks, and here what would be another path."""


def open_dreambench_plus(root: Path, options: Options) -> Benchmark:
    """``images/**/NN.jpg`` and ``captions/**/NN.txt``, paired by their paths.

    Raises:
        FileNotFoundError: a folder is missing.
        ValueError: an option that it does not have.
    """
    refuse_others(options, NAME, OPTIONS)
    size = options.size or SIZE
    shown, said = first_folder(root, ["images"]), first_folder(root, ["captions"])
    captions = sorted(said.rglob("*.txt"))
    listing = listed(NAME, _places(root, shown, said, captions), options.limit)
    num_pictures = len({item.cluster for item in listing.items})
    networks = {"clip": options.clip or CLIP, "dino": DINO}
    return Benchmark(
        name=NAME,
        title=TITLE,
        items=listing.items,
        question=partial(_question, root, listing, size),
        expected=partial(_expected, root, listing),
        metrics=(clip_text(), clip_image(reference="source"), dino(reference="source")),
        protocol={
            "reference": "the picture that is shown",
            "captions": "the prompt",
            "outputs": f"1 per prompt, {size} x {size}",
            "pictures": f"{num_pictures} of {NUM_PICTURES}, {NUM_PROMPTS} prompts each",
            **networks,
            "items": listing.protocol,
            "dataset": fingerprint(*captions),
        },
        rejected=listing.rejected,
        networks=networks,
    )


def _places(root: Path, shown: Path, said: Path, captions: list[Path]) -> Iterator[Place[str]]:
    for path in captions:
        name = path.relative_to(said).with_suffix("")
        uri = addresses.address((shown / name.with_suffix(".jpg")).relative_to(root).as_posix())
        subject, *prompts = [line.strip() for line in text_files.read(path).splitlines() if line.strip()] or [""]
        for number in range(max(len(prompts), NUM_PROMPTS)):
            yield f"{name.as_posix()}/{number}", partial(_made, name, subject, prompts, number, uri)


def _made(name: Path, subject: str, prompts: list[str], number: int, uri: str) -> tuple[Item, str]:
    prompt = fields.words(prompts[number]) if number < len(prompts) else ""
    if not prompt or number >= NUM_PROMPTS:
        raise RejectedError(
            Reason.NULL_CAPTION, f"expected a subject and {NUM_PROMPTS} prompts, found {len(prompts)} prompts"
        )
    category = name.parent.name
    picture = f"{'live_subject_' if category in _LIVE else ''}{category}_{name.name}"
    item = Item(
        item_id=safe_id(f"{picture}-{number}"),
        cluster=picture,
        prompt=prompt,
        task="customized",
        group=category,
        texts={"output": prompt},
        output_names=tuple(
            f"tgt_image/{picture}_{_UNSAFE.sub('_', subject.lower())}/{number}_{{i}}{suffix}"
            for suffix in (".jpg", ".png")
        ),
    )
    return item, uri


def _question(root: Path, listing: Listing[str], size: int, item: Item) -> Question:
    shown = pictures.picture(root, listing.rows[item.item_id])
    return Question(task="customized", prompt=item.prompt, pictures=(shown,), width=size, height=size)


def _expected(root: Path, listing: Listing[str], item: Item) -> Expected:
    return Expected(source=pictures.picture(root, listing.rows[item.item_id]), texts=item.texts)
