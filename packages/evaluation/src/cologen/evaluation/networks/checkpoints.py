"""Where a network's weights are: a folder or file of this machine, or a name on the hub; and what names them for good.

Nothing is downloaded unless it is asked for. What a reading was made with is named by the weights' hash, so that two
copies of one checkpoint are the same network and a changed file is another.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from huggingface_hub import hf_hub_download
from huggingface_hub.errors import EntryNotFoundError, HFValidationError, LocalEntryNotFoundError

from cologen.datagen.model_files import sha256_of
from cologen.datagen.weights import named
from cologen.model.files import read_whole

_Model = TypeVar("_Model")

_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
"""In the order of preference."""
_EXTRAS = (
    "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.json",
    "merges.txt",
)  # fmt: skip


def folder_of(source: str, *, download: bool = False) -> Path:
    """The folder of a checkpoint in transformers' form: ``source`` itself, or the hub's copy of that name.

    Raises:
        FileNotFoundError: it is not on this machine, and was not to be downloaded or could not be.
    """
    if Path(source).is_dir():
        return Path(source)
    config = _from_hub(source, "config.json", download=download)
    _first_of(source, _WEIGHTS, download=download)
    for name in _EXTRAS:
        with suppress(EntryNotFoundError, FileNotFoundError):
            _from_hub(source, name, download=download)
    return config.parent


def file_of(source: str, name: str, *, download: bool = False) -> Path:
    """The file of weights ``name``: ``source`` itself, in that folder, or in the hub's repository of that name.

    Raises:
        FileNotFoundError: as ``folder_of``.
    """
    path = Path(source)
    if path.is_file():
        return path
    if not path.is_dir():
        return _from_hub(source, name, download=download)
    if not (path / name).is_file():
        raise FileNotFoundError(f"there is no {name} in {path}")
    return path / name


def read_checkpoint(kind: type[_Model], folder: Path, what: str, **options: Any) -> _Model:
    """A network of transformers, whole, in evaluation mode and without gradients.

    Raises:
        FileNotFoundError: ``folder`` lacks its files.
        ValueError: it holds another kind of network, or not all of its weights.
    """
    if not (folder / "config.json").is_file() or not _weights_in(folder):
        raise FileNotFoundError(f"{folder} is no checkpoint of {what}: expected config.json and {_WEIGHTS[0]} in it")
    with named(folder, f"is not a checkpoint of {what}"), without_bars():
        model: Any = read_whole(kind, folder, **options)
    return model.eval().requires_grad_(False)


@contextmanager
def without_bars() -> Generator[None]:
    """Transformers draws no progress bars of its own: networks are loaded in workers, beside the scoring's bar."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def identity_of(source: str, weights: Path, preparation: str) -> str:
    """The network's name, its weights' hash, and how pictures are prepared for it.

    ``openai/clip-vit-base-patch32 sha256:a63082132ba4 shorter-224-bicubic-1``
    """
    files = _weights_in(weights) if weights.is_dir() else [weights]
    hashes = "+".join(sha256_of(file)[:16] for file in files)
    name = Path(source).resolve().name if Path(source).exists() else source
    return f"{name} sha256:{hashes} {preparation}"


def settings_of(folder: Path) -> dict[str, Any]:
    """The folder's ``preprocessor_config.json``; empty where there is none.

    Raises:
        ValueError: it is damaged.
    """
    path = folder / "preprocessor_config.json"
    if not path.is_file():
        return {}
    with named(path, "is damaged"):
        return dict(json.loads(path.read_text()))


def _weights_in(folder: Path) -> list[Path]:
    """The files that transformers reads: those of safetensors where there are any."""
    return sorted(folder.glob("*.safetensors")) or sorted(folder.glob("pytorch_model*.bin"))


def _first_of(source: str, names: tuple[str, ...], *, download: bool) -> Path:
    """The first of these files that the repository has: older ones hold no safetensors."""
    *others, last = names
    for name in others:
        with suppress(EntryNotFoundError, FileNotFoundError):
            return _from_hub(source, name, download=download)
    try:
        return _from_hub(source, last, download=download)
    except EntryNotFoundError as error:
        raise FileNotFoundError(f"{source} has none of {', '.join(names)}") from error


def _from_hub(source: str, name: str, *, download: bool) -> Path:
    try:
        return Path(hf_hub_download(source, name, local_files_only=not download))
    except LocalEntryNotFoundError as error:
        why = "could not be downloaded" if download else "is neither a path nor in the hub's cache on this machine"
        raise FileNotFoundError(f"{source} ({name}) {why}") from error
    except EntryNotFoundError:
        raise
    except (OSError, HFValidationError) as error:
        why = " ".join(str(error).split())[:200]
        raise FileNotFoundError(f"{source} is neither a path nor a repository of the hub: {why}") from error
