"""Measures that no package brings, installed for the length of a block."""

from collections.abc import Generator
from contextlib import contextmanager
from importlib.metadata import EntryPoint, EntryPoints

import numpy as np
import pytest

from cologen.trainer.loop import measures

HERE = "tests.trainer.loop.made_up_measures"


def brightness(source: np.ndarray | None, target: np.ndarray, output: np.ndarray, mask: np.ndarray) -> dict[str, float]:
    return {"brightness": float(output.mean())}


def hole(source: np.ndarray | None, target: np.ndarray, output: np.ndarray, mask: np.ndarray) -> dict[str, float]:
    """The mask's share; nothing where it covers the picture."""
    return {} if mask.all() else {"hole": float(mask.mean())}


@contextmanager
def installed(monkeypatch: pytest.MonkeyPatch, *more: EntryPoint) -> Generator[None, None, None]:
    """``brightness`` and ``hole`` alone, and ``more``."""
    ours = [EntryPoint(name, f"{HERE}:{name}", measures.GROUP) for name in ("hole", "brightness")]
    with monkeypatch.context() as patch:
        patch.setattr(measures, "entry_points", lambda group: EntryPoints([*ours, *more]))
        yield
