"""The dataset card: a ``README.md`` beside each manifest: what it is, from where, under which terms, and how made."""

from __future__ import annotations

import json

from cologen.datagen.manifest import CARD_NAME, Manifest
from cologen.datagen.storage import Folder

# As the datasets' own pages state them; what applies to pictures applies to whatever is rendered from them.
TERMS = {
    "journeydb": "JourneyDB: its own terms of use, non-commercial research only; access is gated",
    "cocostuff": "COCO-Stuff: annotations CC BY 4.0; pictures under Flickr's terms of use",
    "ade20k": "ADE20K: its own terms of use, non-commercial research and education",
    "refcoco": "RefCOCO: expressions for research; pictures and annotations as COCO's",
    "refcoco+": "RefCOCO+: expressions for research; pictures and annotations as COCO's",
    "refcocog": "RefCOCOg: expressions for research; pictures and annotations as COCO's",
    "lvis": "LVIS: annotations CC BY 4.0; pictures as COCO's",
    "multigen": "MultiGen-20M: as its page says; pictures under their own terms",
    "multigen_depth": "MultiGen-20M: as its page says; pictures under their own terms",
    "subjects200k": "Subjects200K: Apache-2.0",
    "magicbrush": "MagicBrush: CC BY 4.0",
    "omniedit": "OmniEdit: as its page says",
    "triplets": "your own data: your own terms",
}
WHAT = {
    "concepts": "Objects found in pictures: nouns of the captions, boxes, masks.",
    "inpaint": "Mask inpainting: a picture, a mask, and the caption to fill the hole by (stage 0 of the curriculum).",
    "grounding": "Image grounding: an instruction, and the marks it asks for on a picture (stage 1 of the curriculum).",
    "control": "Controllable generation: a condition (canny, depth, HED, lineart, segmentation), and the picture and "
    "caption that it was taken from (stage 2).",
    "customized": "Customized generation: a picture of a subject, and words for another picture of it (stage 3).",
    "editing": "Instruction editing: a picture, an instruction, and the picture as it shall be then (stage 4).",
}


def write_card(folder: Folder, manifest: Manifest, *, synthetic: bool) -> None:
    """Write the card of a complete manifest; ``synthetic``: its pictures are the synthetic world's."""
    folder.write(CARD_NAME, card(manifest, synthetic=synthetic).encode())


def card(manifest: Manifest, *, synthetic: bool) -> str:
    """The card as Markdown."""
    terms = TERMS.get(manifest.source, "see the dataset's own terms")
    if synthetic:
        terms = f"drawn by CoLoGen in {manifest.source}'s layout: Apache-2.0, like the code that drew it"
    lines = [
        f"# {manifest.task} from {manifest.source}{' (synthetic world)' if synthetic else ''}",
        WHAT[manifest.task],
        "A row is a recipe for one sample; the pictures are not in this folder but under the dataset's root.",
        "## Terms\n\n" + terms + ".",
        "## Counts\n\n" + _table(("what", "number"), _counts(manifest)),
        "## Files\n\n`part-*.parquet` samples, `rejected-*.parquet` what was turned away and why, `manifest.json` "
        "hashes and the recipe, `report.html` samples to look at. `python -m pipelines.verify .` checks it all.",
        f"## Recipe `{manifest.recipe_hash[:12]}`\n\n```json\n{json.dumps(manifest.recipe, indent=1)}\n```",
    ]
    return "\n\n".join(lines) + "\n"


def _counts(manifest: Manifest) -> list[tuple[str, str]]:
    rows = [("samples", f"{manifest.rows:,}")]
    for kind, number in manifest.mix.achieved.items():
        asked = manifest.mix.asked.get(kind)
        share = "" if asked is None else f" ({100 * number / max(1, manifest.rows):.2f} %, asked {100 * asked:.4g} %)"
        rows.append((f"of them {kind}", f"{number:,}{share}"))
    rows.append(("turned away", f"{sum(manifest.rejected.values()):,}"))
    return rows + [(f"of them {reason}", f"{number:,}") for reason, number in manifest.rejected.items()]


def _table(head: tuple[str, str], rows: list[tuple[str, str]]) -> str:
    return "\n".join(f"| {left} | {right} |" for left, right in [head, ("---", "---:"), *rows])
