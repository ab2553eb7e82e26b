"""Files and packages that a run needs and that are missing, each named in one line; nothing is fetched."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from huggingface_hub import try_to_load_from_cache
from huggingface_hub.errors import HFValidationError
from safetensors import safe_open

from cologen.datagen.control import hed, lineart
from cologen.datagen.images import addresses as local_files
from cologen.datagen.manifest import Manifest, load_manifest
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.pair_records import ConditionKind
from cologen.datagen.records import RejectedError
from cologen.model.adapter_index import INDEX, BaseKind
from cologen.model.files import damage_named
from cologen.model.presets import preset
from cologen.model.world_base import packaged_base
from cologen.trainer.loop.bases import missing_packages
from cologen.trainer.loop.checkpoint import ADAPTER
from cologen.trainer.loop.kept_files import Kept
from cologen.trainer.loop.measures import measures_of
from cologen.trainer.loop.stored_text import MAKE_IT
from cologen.trainer.recipes.curriculum import Recipe

_NUM_PARTS, _ROWS_PER_PART = 3, 16
"""Of each manifest: parts that are read, and rows of each whose pictures are looked for."""

_WEIGHTS = {"hed": hed.FILE, "lineart": lineart.FILE}
_ADDRESSES = ("image_uri", "source_uri", "target_uri")


def whole_manifest(path: str, root: Path | None) -> Manifest:
    """A manifest whose parts and pictures' folder are there; their bytes are not read.

    Raises:
        FileNotFoundError: it is not there, or not all of it.
        ValueError: it is incomplete or cannot be read.
    """
    folder = Folder.open(path)
    manifest = load_manifest(folder)
    absent = sorted({part.file for part in manifest.parts} - set(folder.names()))
    if absent:
        raise FileNotFoundError(f"{path} lacks {len(absent)} of its {manifest.num_parts} parts, the first {absent[0]}")
    if not manifest.complete:
        raise ValueError(f"{path} is incomplete: {len(manifest.parts)} of {manifest.num_parts} parts")
    pictures = root or Path(manifest.root)
    if not pictures.is_dir():
        raise FileNotFoundError(f"the pictures of {path} are not under {pictures}")
    return manifest


def from_rows(
    path: str, manifest: Manifest, root: Path | None, weights: Mapping[ConditionKind, str | Path]
) -> list[str]:
    """What rows taken evenly from a manifest need and is missing: pictures, and extractors' weights."""
    folder, pictures = Folder.open(path), root or Path(manifest.root)
    parts = _evenly(manifest.parts, _NUM_PARTS)
    try:
        rows = [row for part in parts for row in _some_rows(folder, part.file)]
    except (OSError, pa.ArrowInvalid) as error:
        return [f"{path} cannot be read: {str(error).splitlines()[0]}"]
    addresses = [address for row in rows for address in _addresses(row)]
    absent = [address for address in addresses if not _exists(pictures, address)]
    found: list[str] = []
    if absent:
        share = f"{len(absent)} of {len(addresses)} pictures looked for"
        found.append(f"{share} of {path} are not under {pictures}, the first {absent[0]}")
    kinds = sorted({row["condition"] for row in rows if row.get("online")})
    return found + [line for kind in kinds for line in _missing_extractor(kind, weights[kind])]


def _some_rows(folder: Folder, name: str) -> list[dict[str, Any]]:
    table = pq.read_table(pa.BufferReader(folder.read(name)))
    return table.take(_evenly(range(len(table)), _ROWS_PER_PART)).to_pylist()


def _evenly(values: Sequence[Any], count: int) -> list[Any]:
    """At most ``count`` of the values, the first and the last among them."""
    if len(values) <= count:
        return list(values)
    return [values[number * (len(values) - 1) // (count - 1)] for number in range(count)]


def _addresses(row: Mapping[str, Any]) -> list[str]:
    found = [row[name] for name in _ADDRESSES if row.get(name)]
    if row.get("condition_uri") and not row.get("map_hash") and not row.get("online"):
        found.append(row["condition_uri"])
    return list(dict.fromkeys(found))


def _exists(root: Path, address: str) -> bool:
    """Whether there is such a file, or the archive that holds it."""
    try:
        path, _ = local_files.locate(root, address)
    except RejectedError:
        return False
    return Path(path).is_file()


def _missing_extractor(kind: ConditionKind, weights: str | Path) -> list[str]:
    name = _WEIGHTS[kind]
    option = f"--{kind}-weights"
    path = Path(weights)
    if path.is_dir() or path.is_file() or isinstance(weights, Path):
        file = path / name if path.is_dir() else path
        return [] if file.is_file() else [f"the weights of {kind}: {file} ({option})"]
    try:
        there = isinstance(try_to_load_from_cache(weights, name), str)
    except HFValidationError:
        there = False
    if there:
        return []
    return [
        f"the weights of {kind}: {name} of {weights} is not on this machine "
        f"(`python -m pipelines.fetch_models` fetches it; then {option} FILE)"
    ]


def from_packages(recipe: Recipe, *, wandb: bool) -> list[str]:
    """Optional packages."""
    found = missing_packages(recipe)
    if wandb and find_spec("wandb") is None:
        found.append("--wandb needs the package wandb: `uv sync --extra wandb`, or leave it out")
    return found


def from_measures(recipe: Recipe) -> list[str]:
    """Measures of held-out samples that are named and not installed."""
    try:
        if recipe.held_out is not None:
            measures_of(recipe.held_out)
    except ValueError as error:
        return [str(error)]
    return []


_TRANSFORMER = "diffusion_pytorch_model.safetensors"
_ONE_ENCODER = {"transformer": _TRANSFORMER, "vae": _TRANSFORMER, "text_encoder": "model.safetensors"}
_BASE_WEIGHTS: Mapping[BaseKind, Mapping[str, str]] = {
    "flux.1": {**_ONE_ENCODER, "text_encoder_2": "model.safetensors"},
    "flux.2": _ONE_ENCODER,
    "qwen-image": _ONE_ENCODER,
}
_WORDS = ("vocab.json", "merges.txt")
_BASE_TOKENIZERS: Mapping[BaseKind, Mapping[str, tuple[str, ...]]] = {
    "flux.1": {"tokenizer": _WORDS, "tokenizer_2": ("spiece.model",)},
    "flux.2": {"tokenizer": _WORDS},
    "qwen-image": {"tokenizer": _WORDS},
}


def from_base(recipe: Recipe, base: Path | None) -> list[str]:
    """The files of the frozen base, by name."""
    if preset(recipe.preset).family == "world":
        return _weights_of_world(recipe, base)
    if base is None:
        return [f"the base: give the folder of {recipe.preset} as --base"]
    if not base.is_dir():
        return [f"the base's folder {base}"]
    kind = preset(recipe.preset).base
    weights, tokenizers = _BASE_WEIGHTS[kind], _BASE_TOKENIZERS[kind]
    missing = [base / part / "config.json" for part in weights if not (base / part / "config.json").is_file()]
    missing += [path for part, names in tokenizers.items() for path in _missing_tokenizer(base / part, names)]
    lines = [str(path) for path in missing]
    if kind == "flux.2" and not _has_chat_template(base / "tokenizer"):
        lines.append(f"{base / 'tokenizer' / 'chat_template.jinja'}")
    return lines + [line for part, name in weights.items() for line in _missing_weights(base / part, name)]


def from_stored_text(kept: Kept) -> list[str]:
    """The text embeddings that were to be made ahead, if there are none; a run looks for each prompt's."""
    return [] if kept.sizes() else [f"the text embeddings {kept.folder}: {MAKE_IT}"]


def _has_chat_template(folder: Path) -> bool:
    """In a file of its own, or in the tokenizer's settings."""
    settings = folder / "tokenizer_config.json"
    return (folder / "chat_template.jinja").is_file() or (
        settings.is_file() and "chat_template" in settings.read_text(errors="replace")
    )


def _missing_tokenizer(folder: Path, names: Sequence[str]) -> list[Path]:
    """A tokenizer is one file, or the several files of the older format."""
    if (folder / "tokenizer.json").is_file():
        return []
    return [folder / name for name in names if not (folder / name).is_file()]


def _missing_weights(folder: Path, name: str) -> list[str]:
    """The missing files of weights, as a folder's index names them; without an index there is one file."""
    indices = sorted(folder.glob("*.safetensors.index.json"))
    if not indices:
        return [] if any(folder.glob("*.safetensors")) else [str(folder / name)]
    try:
        names: list[str] = sorted(set(json.loads(indices[0].read_text())["weight_map"].values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return [f"{indices[0]} (it is damaged: copy it again)"]
    return [str(folder / each) for each in names if not (folder / each).is_file()]


def _weights_of_world(recipe: Recipe, base: Path | None) -> list[str]:
    if base is not None:
        return _damage(base) if base.is_file() else [f"the base's weights {base}"]
    if recipe.continues_base:
        return ["the base that is continued: give the file of its weights as --base"]
    if not recipe.stages[0].trains_base:
        try:
            packaged_base(recipe.preset)
        except FileNotFoundError as error:
            return [str(error)]
    return []


def _damage(weights: Path) -> list[str]:
    """What is wrong with the header of a file of weights, which says where each tensor is; the tensors are not read."""
    try:
        with damage_named(weights), safe_open(weights, "pt"):
            return []
    except (OSError, ValueError) as error:
        return [str(error)]


def from_stages_before(recipe: Recipe, stages: Sequence[int], folder: Path) -> list[str]:
    """The files of the experts that the first of the stages stands on."""
    if not stages:
        return []
    first = min(stages)
    before = recipe.num_experts(first) - recipe.stages[first].new_expert
    if not before:
        return []
    names = [INDEX, *(f"expert-{number}.safetensors" for number in range(before)), f"router-{before - 1}.safetensors"]
    return [
        f"{folder / ADAPTER / name} (train the stages before {recipe.stages[first].task} first)"
        for name in names
        if not (folder / ADAPTER / name).is_file()
    ]
