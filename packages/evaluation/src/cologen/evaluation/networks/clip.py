"""CLIP: features of pictures and texts in one space (Radford et al., 2021), from transformers' checkpoints.

Pictures: the shorter side to the network's (bicubic), the square in the middle, OpenAI's normalisation, as in OpenAI's
own transform; the protocols of CLIP-I, CLIP-T and CLIP score all use it. Features are the projected ones, not of unit
length: cosines do not need that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from cologen.datagen.weights import named
from cologen.evaluation.networks.checkpoints import identity_of, read_checkpoint
from cologen.evaluation.networks.passes import exactly, passed
from cologen.evaluation.networks.preparing import OPENAI, resized_and_cropped
from cologen.evaluation.records import Picture, ScoreError


def load_clip(source: str, folder: Path, device: torch.device, *, truncate: bool = False) -> Clip:
    """From a folder with ``config.json``, weights and the tokenizer's files.

    Args:
        source: the name by which the network is known.
        folder: where it is.
        device: where it runs.
        truncate: cut texts that are too long, which the identity then says, in place of an error.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: it is another network, or damaged.
    """
    from transformers import CLIPModel, CLIPTokenizer

    network: Any = read_checkpoint(CLIPModel, folder, "CLIP")
    if not any((folder / name).is_file() for name in ("tokenizer.json", "vocab.json")):
        raise FileNotFoundError(f"{folder} has no tokenizer.json or vocab.json, which CLIP's texts need")
    with named(folder, "has no tokenizer of CLIP"):
        tokenizer: Any = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    side = int(network.config.vision_config.image_size)
    preparation = f"shorter-{side}-bicubic-1" + (" texts-cut" if truncate else "")
    return Clip(network.to(device), tokenizer, device, identity_of(source, folder, preparation), truncate)


@dataclass(frozen=True, slots=True)
class Clip:
    """A ``TextNetwork``."""

    network: Any
    tokenizer: Any
    device: torch.device
    identity: str
    truncate: bool = False

    def read(self, pictures: Sequence[Picture]) -> list[np.ndarray]:
        """The projected features of each picture."""
        side = int(self.network.config.vision_config.image_size)
        inputs = (OPENAI(resized_and_cropped(picture, shorter=side, side=side)) for picture in pictures)
        return passed(self._features, inputs, self.device)

    def read_texts(self, texts: Sequence[str]) -> list[np.ndarray]:
        """The projected features of each text, each in a pass of its own.

        Raises:
            ScoreError: ``long_text``: a text has more tokens than the encoder reads, and none is to be cut.
        """
        tokens = [self._tokens(text) for text in texts]
        with exactly(self.device):
            return [self._text_features(each) for each in tokens]

    def _features(self, inputs: Float[Tensor, "batch 3 side side"]) -> Float[Tensor, "batch dim"]:
        return self.network.get_image_features(pixel_values=inputs).pooler_output

    def _tokens(self, text: str) -> list[int]:
        most = int(self.network.config.text_config.max_position_embeddings)
        tokens: list[int] = self.tokenizer(text, verbose=False)["input_ids"]
        if len(tokens) > most and not self.truncate:
            raise ScoreError("long_text", f"{len(tokens)} tokens, CLIP reads {most}: {text[:60]!r}…")
        return self.tokenizer(text, truncation=True, max_length=most)["input_ids"] if len(tokens) > most else tokens

    def _text_features(self, tokens: list[int]) -> Float[np.ndarray, "dim"]:
        ids = torch.tensor([tokens], device=self.device)
        found = self.network.get_text_features(input_ids=ids, attention_mask=torch.ones_like(ids)).pooler_output
        return found[0].to("cpu", torch.float32).numpy()
