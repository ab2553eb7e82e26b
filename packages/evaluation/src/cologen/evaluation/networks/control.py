"""HED and line drawings of pictures, by the extractors that made the training data's maps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from cologen.datagen.control import hed, lineart
from cologen.evaluation.networks.checkpoints import identity_of
from cologen.evaluation.networks.passes import passed
from cologen.evaluation.records import Picture

Kind = Literal["hed", "lineart"]
FILES = {"hed": hed.FILE, "lineart": lineart.FILE}


def require_annotators() -> None:
    """See that the package of the extractors is there.

    Raises:
        FileNotFoundError: it is not.
    """
    if find_spec("controlnet_aux") is None:
        raise FileNotFoundError("controlnet_aux is not installed (pip install 'cologen-evaluation[control]')")


def load_control(kind: Kind, source: str, path: Path, device: torch.device) -> Control:
    """From ``ControlNetHED.pth`` or ``sk_model.pth``.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or another network.
    """
    load = hed.load_hed if kind == "hed" else lineart.load_lineart
    return Control(load(path, device=str(device)), device, identity_of(source, path, "whole-1"))


@dataclass(frozen=True, slots=True)
class Control:
    """A ``PictureNetwork``."""

    extractor: Callable[[Tensor], Tensor]
    device: torch.device
    identity: str

    def read(self, pictures: Sequence[Picture]) -> list[np.ndarray]:
        """A map for each picture, in its size: white on black in [0, 1]."""
        inputs = (torch.from_numpy(np.moveaxis(each, -1, 0).astype(np.float32, order="C") / 255) for each in pictures)
        return passed(self._maps, inputs, self.device)

    def _maps(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch height width"]:
        return self.extractor(images)[:, 0]
