"""Text embeddings made ahead of training: where they are, what makes them, and what reads them in place of encoders.

    DATA/text/flux.1-512-3f2a90c4d1e7/ab/ab12….safetensors      one prompt, as ``kept_files`` writes it

The folder is named for the encoders, so that embeddings of others are never taken. They are those of every token,
padding included: T5 gives it vectors that depend on the whole prompt, Qwen3 vectors that depend on it and on their
place, and the transformers of FLUX attend to them. Compression leaves out what repeats, such as the zeros that follow a
caption of the synthetic dataset or of Qwen-Image.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from cologen.datagen.weights import device_named
from cologen.model.bundle import text_folders
from cologen.model.presets import preset
from cologen.model.text import Prompts, TextEncoder
from cologen.trainer.loop.bases import given_folder, open_text
from cologen.trainer.loop.kept import KeptText, identity, prompt_key
from cologen.trainer.loop.kept_files import Kept
from cologen.trainer.recipes.curriculum import Recipe

TEXT = "text"
"""The folder in that of the data."""

MAKE_IT = "`python -m pipelines.encode_text` with the same --recipe, --set, --base and --data makes them"

_SAMPLED, _BLOCK = 256, 4096
"""Blocks of a file of weights that are hashed, and their bytes; smaller files are hashed whole."""

_WRITERS = 4


def stored_text(recipe: Recipe, base: Path | None, data: Path) -> Kept:
    """Where the embeddings of a recipe's text encoders are, whether made yet or not.

    Nothing is loaded: encoders are known by their precision, number of tokens, and the bytes of their files.

    Raises:
        FileNotFoundError: the base, or the files of its text encoders, are not there.
    """
    chosen = preset(recipe.preset)
    if chosen.family == "world":
        encoder, kind = identity(open_text(recipe, None, torch.device("cpu"))), "world"
    else:
        encoder, kind = _hash_of_files(recipe, given_folder(recipe, base)), chosen.base
    return Kept(data / TEXT / f"{kind}-{chosen.text_tokens}-{encoder[:12]}")


def _hash_of_files(recipe: Recipe, base: Path) -> str:
    found = hashlib.sha256(recipe.precision.encode())
    for name in text_folders(preset(recipe.preset)):
        files = sorted(path for path in (base / name).glob("[!.]*") if path.is_file())
        if not files:
            raise FileNotFoundError(f"{base / name} is not there: not a whole folder of {recipe.preset}")
        for path in files:
            found.update(f"{name}/{path.name} {path.stat().st_size}".encode())
            found.update(_some_bytes(path))
    return found.hexdigest()


def _some_bytes(path: Path) -> bytes:
    """Blocks taken evenly from a file, the first and the last among them."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= _SAMPLED * _BLOCK:
            return file.read()
        blocks: list[bytes] = []
        for number in range(_SAMPLED):
            file.seek(number * (size - _BLOCK) // (_SAMPLED - 1))
            blocks.append(file.read(_BLOCK))
        return b"".join(blocks)


def reader(kept: Kept, device: torch.device) -> TextEncoder:
    """What training asks for prompts; no encoder is behind it."""
    return KeptText(_NotLoaded(kept), kept, device)


def not_stored(kept: Kept, prompts: Iterable[str]) -> list[str]:
    """The prompts that have no embeddings, in their order."""
    there = kept.sizes()
    return [prompt for prompt in prompts if prompt_key(prompt) not in there]


def require_stored(kept: Kept, prompts: Iterable[str]) -> None:
    """Raises ValueError if a prompt has no embeddings."""
    if absent := not_stored(kept, prompts):
        raise ValueError(
            f"{kept.folder} has no text embeddings of {len(absent):,} prompts, the first {absent[0]!r}: {MAKE_IT}; or "
            "--set stored_text=false, which loads the text encoders"
        )


class _NotLoaded:
    """In the place of text encoders: nothing is ever encoded, and why is said: ``text.TextEncoder``."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept

    def encode(self, prompts: Sequence[str]) -> Prompts:
        """Raises ValueError."""
        path = self._kept.path(prompt_key(prompts[0]))
        if path.is_file():
            raise ValueError(f"{path}, the text embeddings of {prompts[0]!r}, are damaged: delete the file. {MAKE_IT}")
        raise ValueError(f"{self._kept.folder} has no text embeddings of {prompts[0]!r}: {MAKE_IT}")


@dataclass(frozen=True, slots=True)
class Encoded:
    """What became of some prompts."""

    sizes: tuple[int, ...]
    """Bytes on disk of each that was stored."""
    rejected: tuple[str, ...]
    """Those whose embeddings are not finite: they are not stored."""


def text_maker(
    recipe: Recipe, base: Path | None, folder: Path, limit: int, device: str
) -> Callable[[Sequence[str]], Encoded]:
    """Load the text encoders; what is returned encodes prompts and stores them in ``folder``, in ``limit`` bytes.

    It raises ValueError where they do not fit.
    """
    there = recipe.replace(offload_text=False)  # nothing else needs the device's memory
    return partial(stored, open_text(there, base, device_named(device)), Kept(folder, limit=limit))


def stored(encoder: TextEncoder, kept: Kept, prompts: Sequence[str]) -> Encoded:
    """Encode some prompts, and store those whose embeddings are finite."""
    made = encoder.encode(prompts)
    rows = list(zip(prompts, made.embeds.cpu().split(1), made.pooled.cpu().split(1), strict=True))
    sound = [row for row in rows if all(bool(each.isfinite().all()) for each in row[1:])]

    def store(row: tuple[str, Tensor, Tensor]) -> int:
        prompt, embeds, pooled = row
        return kept.put(prompt_key(prompt), {"embeds": embeds, "pooled": pooled})

    try:
        with ThreadPoolExecutor(_WRITERS) as writers:  # compressing releases the interpreter's lock
            sizes = tuple(writers.map(store, sound))
    except OSError as error:
        raise ValueError(f"not all of the text embeddings can be stored: {error.strerror or error}") from error
    accepted = {row[0] for row in sound}
    return Encoded(sizes, tuple(prompt for prompt in prompts if prompt not in accepted))
