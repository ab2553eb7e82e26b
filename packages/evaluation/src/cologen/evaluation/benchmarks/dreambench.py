"""DreamBench: 30 subjects by one photograph each, in 25 prompts of four outputs (Ruiz et al., 2023).

The protocol is Kosmos-G's, which OmniGen and the paper follow: the photograph that is shown is fixed for each subject,
outputs are compared with it, and the text scored is the plain prompt ("a backpack in the jungle"). DreamBooth's own
compares with all photographs of the subject: ``reference="references"``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from cologen.datagen.datasets.files.requirements import require_root
from cologen.datagen.images import addresses
from cologen.datagen.records import Reason, RejectedError
from cologen.evaluation.benchmark import Benchmark
from cologen.evaluation.benchmarks import pictures
from cologen.evaluation.benchmarks.dreambench_files import PICTURES, Prompts, read_prompts
from cologen.evaluation.benchmarks.listing import Listing, Place, fingerprint, listed, safe_id
from cologen.evaluation.benchmarks.options import Options, choice, refuse_others
from cologen.evaluation.metrics.catalog import clip_image, clip_text, dino
from cologen.evaluation.records import Expected, Item, Question

NAME = "dreambench"
TITLE = "DreamBench"
OPTIONS = frozenset({"reference", "clip", "subjects", "size", "limit"})
CLIP, DINO, SIZE = "openai/clip-vit-base-patch32", "facebook/dino-vits16", 512
NUM_OUTPUTS, NUM_PROMPTS = 4, 25

_FILE = "prompts_and_classes.txt"

_Row = tuple[str, tuple[str, ...]]
"""The addresses of the photograph that is shown, and of those that outputs are compared with."""


def open_dreambench(root: Path, options: Options) -> Benchmark:
    """``dataset/<subject>/NN.jpg`` and ``prompts_and_classes.txt``; ``root`` may also be ``dataset`` itself.

    Raises:
        FileNotFoundError: the folder or the file of prompts is missing, or all subjects are.
        ValueError: an option that it does not have, an unknown subject, or a file of prompts of another form.
    """
    refuse_others(options, NAME, OPTIONS)
    reference = choice(NAME, "reference", options.reference, ("source", "references"))
    folder, file = _found(root)
    prompts, subjects, size = read_prompts(file), _subjects(folder, options.subjects), options.size or SIZE
    places = _places(root, folder, prompts, subjects, reference)
    listing = listed(NAME, places, options.limit)
    networks = {"clip": options.clip or CLIP, "dino": DINO}
    return Benchmark(
        name=NAME,
        title=TITLE,
        items=listing.items,
        question=partial(_question, root, listing, size),
        expected=partial(_expected, root, listing),
        metrics=(clip_text(), clip_image(reference="references"), dino(reference="references")),
        protocol={
            "reference": "the photograph that is shown" if reference == "source" else "all photographs, their mean",
            "captions": "the plain prompt, without a word for the subject's identity",
            "subjects": f"{len(subjects)} of {len(PICTURES)}, one fixed photograph each",
            "prompts": f"{len(prompts.objects)} for objects, {len(prompts.live)} for live subjects, of {NUM_PROMPTS}",
            "outputs": f"{NUM_OUTPUTS} per prompt, {size} x {size}",
            **networks,
            "items": listing.protocol,
            "dataset": fingerprint(file),
        },
        rejected=listing.rejected,
        tables=("table-4-dreambench", "table-5-dreambench", "table-7-dreambench"),
        notes=("Kosmos-G raises a negative mean of cosines to 0; means are given as they are here.",),
        networks=networks,
    )


def _found(root: Path) -> tuple[Path, Path]:
    """The folder of subjects, and the file of prompts in it or beside it."""
    require_root(root)
    folder = root / "dataset" if (root / "dataset").is_dir() else root
    for file in (folder / _FILE, folder.parent / _FILE):
        if file.is_file() and file.is_relative_to(root):
            return folder, file
    raise FileNotFoundError(f"no file {_FILE} in {folder}" + (f" or {root}" if folder != root else ""))


def _subjects(folder: Path, chosen: Sequence[str] | None) -> list[str]:
    if unknown := [name for name in chosen or () if name not in PICTURES]:
        raise ValueError(f"{NAME} has no subject {unknown[0]!r}: expected some of {', '.join(PICTURES)}")
    wanted = list(dict.fromkeys(chosen)) if chosen else list(PICTURES)
    there = [name for name in wanted if (folder / name).is_dir()]
    if not there:
        raise FileNotFoundError(f"{folder} holds none of the folders {', '.join(wanted)}")
    if chosen and len(there) < len(wanted):
        raise FileNotFoundError(f"{folder} lacks the folders {', '.join(name for name in wanted if name not in there)}")
    return there


def _places(
    root: Path, folder: Path, prompts: Prompts, subjects: Sequence[str], reference: str
) -> Iterator[Place[_Row]]:
    for subject in subjects:
        if subject not in prompts.classes:
            yield subject, partial(_refused, subject)
            continue
        shown = _address(root, folder / subject / f"{PICTURES[subject]}.jpg")
        photographs = sorted(_address(root, path) for path in (folder / subject).glob("*.jpg"))
        row = shown, (shown,) if reference == "source" else tuple(photographs)
        kind = "live subject" if prompts.is_live(subject) else "object"
        for number, prompt in enumerate(prompts.of(subject)):
            yield f"{subject}-{number:02d}", partial(_made, subject, number, kind, prompt, row)


def _refused(subject: str) -> tuple[Item, _Row]:
    raise RejectedError(Reason.MALFORMED_RECORD, f"{_FILE} names no class of {subject}")


def _made(subject: str, number: int, kind: str, prompt: str, row: _Row) -> tuple[Item, _Row]:
    item = Item(
        item_id=safe_id(f"{subject}-{number:02d}"),
        cluster=subject,
        prompt=prompt,
        task="customized",
        group=kind,
        texts={"output": prompt},
        num_outputs=NUM_OUTPUTS,
        output_names=(f"{subject}/{number:02d}_{{i}}.png",),
    )
    return item, row


def _address(root: Path, path: Path) -> str:
    return addresses.address(path.relative_to(root).as_posix())


def _question(root: Path, listing: Listing[_Row], size: int, item: Item) -> Question:
    shown = pictures.picture(root, listing.rows[item.item_id][0])
    return Question(task="customized", prompt=item.prompt, pictures=(shown,), width=size, height=size)


def _expected(root: Path, listing: Listing[_Row], item: Item) -> Expected:
    shown, others = listing.rows[item.item_id]
    return Expected(
        source=pictures.picture(root, shown),
        references=tuple(pictures.picture(root, uri) for uri in others),
        texts=item.texts,
    )
