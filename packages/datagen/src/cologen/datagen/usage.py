"""Checks of command-line options: one ValueError that names the option, shown by tyro as wrong usage."""

from __future__ import annotations

import math
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from pydantic import ValidationError


def option(name: str) -> str:
    """How a field is written on a command line: ``part_size`` is ``--part-size``."""
    return f"--{name.replace('_', '-')}"


def require_range(
    options: object, *names: str, least: int | None = None, most: int | None = None, above: int | None = None
) -> None:
    """Each of these fields, unless it is None, is a finite number from ``least`` to ``most``, and over ``above``.

    Raises:
        ValueError: one is not; the message names it as an option.
    """
    asked = {"at least": least, "above": above, "at most": most}
    bounds = [f"{words} {bound}" for words, bound in asked.items() if bound is not None]
    for name in names:
        value = getattr(options, name)
        if value is None:
            continue
        low = (least is not None and value < least) or (above is not None and value <= above)
        if low or not math.isfinite(value) or (most is not None and value > most):
            raise ValueError(f"{option(name)} must be {' and '.join(bounds) or 'a finite number'}, got {value}")


def require_gpus(options: object, name: str) -> None:
    """The field is what Ray reserves of GPUs: 0, a share of one, or several whole ones.

    Raises:
        ValueError: it is not.
    """
    require_range(options, name, least=0)
    value = getattr(options, name)
    if value > 1 and value != round(value):
        raise ValueError(f"{option(name)} must be 1, less to share one, or a whole number, got {value}")


def require_device(options: object, name: str = "device", kinds: tuple[str, ...] = ("cpu", "cuda")) -> None:
    """The field names a kind of device, perhaps with a number (``cuda:1``), or is ``auto``.

    Raises:
        ValueError: it does not.
    """
    value = getattr(options, name)
    if not re.fullmatch(rf"auto|({'|'.join(kinds)})(:\d+)?", value):
        raise ValueError(f"{option(name)} must be auto, {' or '.join(kinds)}, got {value!r}")


def require_unused(options: Any, *names: str, without: str) -> None:
    """Each of these fields of a dataclass has its default, since another value would have no effect ``without``
    something.

    Raises:
        ValueError: one has another value, which would be ignored.
    """
    defaults = {field.name: field.default for field in fields(options)}
    for name in names:
        if getattr(options, name) != defaults[name]:
            raise ValueError(f"{option(name)} is of no use without {without}")


def require_picture(options: object, name: str) -> None:
    """The field, unless it is None, is a path where an RGB picture can be written, as far as its name says.

    Some kinds of files can only be read, or hold no colours.

    Raises:
        ValueError: it is not.
    """
    path: Path | None = getattr(options, name)
    if path is None:
        return
    kind = Image.registered_extensions().get(path.suffix.lower())
    if kind is None:
        raise ValueError(f"{option(name)} {path} does not say which kind of picture it is: end it in .png")
    try:
        Image.new("RGB", (16, 16)).save(BytesIO(), kind)
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"{option(name)} {path}: a picture cannot be written as {kind}: end it in .png") from error
    if path.is_dir():
        raise ValueError(f"{option(name)} {path} is a folder: give the name of a picture in it")


@contextmanager
def refusals_named() -> Generator[None]:
    """Within the block, what pydantic refuses is one ValueError in a line: ``max_object_iou: Input should be …``."""
    try:
        yield
    except ValidationError as error:
        raise ValueError("; ".join(_refusal(each) for each in error.errors())) from error


def _refusal(error: Mapping[str, Any]) -> str:
    where = "".join(f"{part}." for part in error["loc"]).removesuffix(".")
    came = f", got {error['input']}" if isinstance(error["input"], int | float | str) else ""
    return (where and f"{where}: ") + error["msg"].removeprefix("Value error, ") + came
