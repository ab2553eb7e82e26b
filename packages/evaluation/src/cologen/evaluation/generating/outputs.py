"""Outputs on disk: one PNG for each, in one folder, with the settings that made them.

outputs/generation.json     settings: a folder holds the outputs of one model under one protocol
outputs/ball-1-0.png        item "ball-1", output 0
outputs/ball-2-0.json       why item "ball-2" has no output 0

Each PNG says inside that it was generated here, and a hash of the pictures that the model was shown.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import PIL.Image
import PIL.PngImagePlugin

from cologen.evaluation.records import Item, Picture, ScoreError
from cologen.evaluation.settings import in_words, read_settings, write_settings
from cologen.model.files import write_atomically

SETTINGS_NAME = "generation.json"
_OWN_NAME = re.compile(r".+-\d+\.(png|json)")
_MADE_BY, _SHOWN = "cologen", "Shown"
_PNG_END = b"\0\0\0\0IEND\xaeB`\x82"
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


@dataclass(frozen=True, slots=True)
class OutputFolder:
    """A folder of outputs: our own, or one that another program made."""

    path: Path

    def begin(self, settings: Mapping[str, Any], *, fresh: bool = False) -> None:
        """Make the folder, or check that what is in it was made with the same settings.

        ``fresh`` removes the outputs that were generated here, and nothing else.

        Raises:
            ValueError: it was made with others (the message names the fields that differ), or holds other files, of
                which one could later be taken for an output.
        """
        file = self.path / SETTINGS_NAME
        names = sorted(path.name for path in self.path.iterdir()) if self.path.exists() else []
        old = [self.path / name for name in names if _OWN_NAME.fullmatch(name)]
        if file.exists() and not fresh:
            words = in_words(self.settings(), settings)
            if words and old:
                raise ValueError(f"{self.path} holds outputs made otherwise ({words}): use another --out, or --fresh")
            if not words:
                return
        if not file.exists() and any(not name.startswith(f".{SETTINGS_NAME}.") for name in names):
            raise ValueError(f"{self.path} holds files that were not generated here: use another --out")
        self.path.mkdir(parents=True, exist_ok=True)
        if others := [path for path in old if not _is_made_here(path)]:
            raise ValueError(f"{others[0]} was not generated here, and stands where an output may: move it away")
        for path in old:
            path.unlink()
        write_settings(file, settings)

    def settings(self) -> dict[str, Any]:
        """How the outputs were made; empty for a folder of another program."""
        file = self.path / SETTINGS_NAME
        return read_settings(file) if file.exists() else {}

    def missing(self, items: Iterable[Item]) -> list[tuple[Item, int]]:
        """The outputs that are not there yet, or not whole, in the order of the items."""
        there = {path.name for path in self.path.glob("*.png") if _is_whole(path)} if self.path.exists() else set[str]()
        return [
            (item, number)
            for item in items
            for number in range(item.num_outputs)
            if self._own(item.item_id, number).name not in there
        ]

    def write(self, item_id: str, number: int, output: Picture | Exception, *, shown: str = "") -> None:
        """Commit an output, or why there is none; ``shown`` is a hash of what the model was shown."""
        path = self._own(item_id, number)
        if isinstance(output, Exception):
            problem = {
                "reason": getattr(output, "reason", "bad_input"),
                "detail": getattr(output, "detail", str(output)),
            }
            write_atomically(path.with_suffix(".json"), json.dumps(problem).encode(), durable=False)
            return
        write_atomically(path, encoded(output, shown), durable=False)
        path.with_suffix(".json").unlink(missing_ok=True)

    def find(self, item: Item, number: int) -> Path:
        """The file of an output: ours, the item's name alone, or a name that other programs give it.

        Raises:
            ScoreError: there is none; with the reason where generation left one.
        """
        own = self._own(item.item_id, number)
        if self._is_ours:
            candidates = [own]
        else:
            names = [own.stem, *([item.item_id] if item.num_outputs == 1 else [])]
            candidates = [self.path / f"{name}{suffix}" for name in names for suffix in SUFFIXES]
            candidates += [self.path / name.format(i=number) for name in item.output_names]
        for path in candidates:
            if path.is_file():
                return path
        why = own.with_suffix(".json")
        if self._is_ours and why.is_file():
            raise _problem(why)
        raise ScoreError("missing", f"no {own.name} in {self.path.name}" + _others(candidates[1:]))

    def found(self, items: Iterable[Item]) -> dict[Path, list[str]]:
        """The files of the items' outputs, each with the names of the outputs that it is found for.

        More than one for a file, such as output 0 of item "a" and the bare name of an item "a-0", is a mistake.
        """
        found: dict[Path, list[str]] = {}
        for item in items:
            for number in range(item.num_outputs):
                try:
                    found.setdefault(self.find(item, number), []).append(f"output {number} of {item.item_id}")
                except ScoreError:
                    continue
        return found

    def extra(self, known: Collection[Path]) -> list[str]:
        """Pictures in the folder that are not ``known``, the files of all items' outputs."""
        pictures = (path for path in self.path.rglob("*") if path.suffix.lower() in SUFFIXES)
        return sorted(path.relative_to(self.path).as_posix() for path in pictures if path not in known)

    @property
    def _is_ours(self) -> bool:
        """Whether the outputs were generated here: then each has one name, and a file says why one is missing."""
        return (self.path / SETTINGS_NAME).exists()

    def _own(self, item_id: str, number: int) -> Path:
        return self.path / f"{item_id}-{number}.png"


def _problem(path: Path) -> ScoreError:
    """Why generation made no output."""
    try:
        held = json.loads(path.read_bytes())
        return ScoreError(held["reason"], str(held["detail"]))
    except (ValueError, LookupError, TypeError) as error:
        return ScoreError("missing", f"{path.name} does not say why there is no output: {error}")


def _is_whole(path: Path) -> bool:
    """Whether a PNG has its end: a machine that lost power may leave a part of one."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - len(_PNG_END)))
        return file.read() == _PNG_END


def encoded(picture: Picture, shown: str) -> bytes:
    """A PNG, the same bytes for the same pixels and the same ``shown``."""
    said = PIL.PngImagePlugin.PngInfo()
    said.add_text("Software", _MADE_BY)
    said.add_text(_SHOWN, shown)
    file = io.BytesIO()
    PIL.Image.fromarray(picture).save(file, "PNG", compress_level=4, pnginfo=said)
    return file.getvalue()


def shown_for(path: Path) -> str:
    """The hash of what the model was shown for this output; empty where the file does not say."""
    return str(_said_in(path).get(_SHOWN, ""))


def _is_made_here(path: Path) -> bool:
    """Whether a file with the name of an output, or of a problem, was written by this module."""
    if path.suffix == ".png":
        return _said_in(path).get("Software") == _MADE_BY
    try:
        return json.loads(path.read_bytes()).keys() == {"reason", "detail"}
    except (ValueError, AttributeError):
        return False


def _said_in(path: Path) -> Mapping[Any, Any]:
    """The texts in a picture's header; empty where it is none, which is said where it is decoded."""
    try:
        with PIL.Image.open(path) as image:
            return dict(image.info)
    except (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError):
        return {}


def _others(candidates: list[Path]) -> str:
    names = sorted({path.with_suffix("").name for path in candidates})
    return f", nor under another of its names ({', '.join(names[:4])})" if names else ""
