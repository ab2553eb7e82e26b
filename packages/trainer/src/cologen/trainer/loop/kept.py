"""Text embeddings and latents cached on disk by content: what was encoded before is read instead, bit for bit the same.

A key is the hash of what is encoded, and each encoder has a folder of its own, named by what it is. What is kept does
not depend on the batch: pictures are encoded one by one, and text encoders give the same for a prompt in any batch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cologen.datagen import cache
from cologen.model.codecs import Codec
from cologen.model.text import Prompts, TextEncoder
from cologen.trainer.loop.kept_files import Kept
from cologen.trainer.loop.prompt_batches import FixedBatches, Offloaded

_NUM_VALUES = 64
_READERS = 4
"""Threads that read ahead; reading, checking and decompressing release the interpreter's lock."""


class KeptText:
    """A text encoder whose results are kept: ``text.TextEncoder``.

    Args:
        encoder: encodes what is not kept yet.
        kept: what it has encoded before.
        device: of what is returned.
    """

    def __init__(self, encoder: TextEncoder, kept: Kept, device: torch.device) -> None:
        self._encoder, self._kept, self._device = encoder, kept, device
        self._readers = ThreadPoolExecutor(_READERS, "kept-text")
        self._now: dict[str, Future[_Found]] = {}
        self._next: dict[str, Future[_Found]] = {}

    @classmethod
    def of(cls, encoder: TextEncoder, folder: Path | None = None, *, limit: int | None = None) -> KeptText:
        """In a folder of the encoder's own.

        Args:
            folder: of all encoders' text. Default: in the cache folder.
            limit: bytes that ``folder`` may take; see ``kept_files.Kept``.
        """
        folder = folder or cache.folder() / "text"
        return cls(encoder, Kept(folder / identity(encoder), folder, limit), _device_of(encoder))

    def ahead(self, prompts: Sequence[str]) -> None:
        """Begin to read prompts that will be asked for next; those of the call before the last are dropped."""
        self._now = self._next
        self._next = {prompt: self._begun(prompt) for prompt in dict.fromkeys(prompts)}

    def encode(self, prompts: Sequence[str]) -> Prompts:
        """Read what the prompts were encoded to; all others are encoded in one call."""
        found, absent = dict[str, dict[str, Tensor]](), list[str]()
        for prompt, reading in {prompt: self._begun(prompt) for prompt in dict.fromkeys(prompts)}.items():
            # Prompts that were missing when they were read ahead may have been encoded since.
            if (kept := reading.result() or self._kept.read(prompt_key(prompt))) is None:
                absent.append(prompt)
            else:
                found[prompt] = kept
        found |= self._encoded(absent)
        embeds, pooled = (torch.cat([found[prompt][name] for prompt in prompts]) for name in ("embeds", "pooled"))
        return Prompts(embeds.to(self._device), pooled.to(self._device))

    def _begun(self, prompt: str) -> Future[_Found]:
        return (
            self._now.get(prompt) or self._next.get(prompt) or self._readers.submit(self._kept.read, prompt_key(prompt))
        )

    def _encoded(self, prompts: list[str]) -> dict[str, dict[str, Tensor]]:
        if not prompts:
            return {}
        encoded = self._encoder.encode(prompts)
        embeds, pooled = encoded.embeds.cpu().split(1), encoded.pooled.cpu().split(1)
        made = {prompt: {"embeds": embeds[number], "pooled": pooled[number]} for number, prompt in enumerate(prompts)}
        for prompt, tensors in made.items():
            self._kept.write(prompt_key(prompt), tensors)
        return made


_Found = dict[str, Tensor] | None


class KeptLatents:
    """A codec whose latents are kept by the bytes of the picture: ``codecs.Codec``.

    It saves work only where the same pixels come again: not for pictures that are cropped differently each time.
    """

    def __init__(self, codec: Codec, folder: Path | None = None, *, limit: int | None = None) -> None:
        folder = folder or cache.folder() / "latents"
        self._codec, self._device = codec, _device_of(codec)
        self._kept = Kept(folder / identity(codec), folder, limit)

    @property
    def downscale(self) -> int:
        """The codec's."""
        return self._codec.downscale

    @property
    def latent_channels(self) -> int:
        """The codec's."""
        return self._codec.latent_channels

    def encode(
        self,
        images: Float[Tensor, "batch 3 height width"],
        noise: Float[Tensor, "batch channels rows columns"] | None = None,
    ) -> Float[Tensor, "batch channels rows columns"]:
        """The latents; drawn from a posterior, they are not kept."""
        if noise is not None:
            return self._codec.encode(images, noise)
        return torch.cat([self._one(image) for image in images]).to(self._device)

    def decode(self, latents: Float[Tensor, "batch channels rows columns"]) -> Float[Tensor, "batch 3 height width"]:
        """The codec's."""
        return self._codec.decode(latents)

    def _one(self, image: Float[Tensor, "3 height width"]) -> Float[Tensor, "1 channels rows columns"]:
        content = hashlib.sha256(f"{image.dtype} {tuple(image.shape)}".encode())
        content.update(_bytes_of(image))
        key = content.hexdigest()
        found = self._kept.read(key)
        if found is None:
            found = {"latents": self._codec.encode(image[None]).cpu()}
            self._kept.write(key, found)
        return found["latents"]


def identity(encoder: TextEncoder | Codec) -> str:
    """A hash of what an encoder is: its class, settings and device, and of each weight name, form and some values.

    Raises:
        TypeError: it is not a torch module.
    """
    if not isinstance(encoder, nn.Module):
        raise TypeError(f"only torch modules can be kept, got {type(encoder).__name__}")
    found = hashlib.sha256()
    for each in _layers(encoder):
        # Flags are left out: whether it trains, or has warned already, does not change its results.
        plain = {name: value for name, value in vars(each).items() if type(value) in (int, float, str)}
        found.update(repr((type(each).__qualname__, sorted(plain.items()))).encode())
    tensors = dict(encoder.named_parameters()) | dict(encoder.named_buffers())
    for name, tensor in sorted(tensors.items()):
        found.update(repr((name, tensor.dtype, tuple(tensor.shape), tensor.device.type)).encode())
        found.update(_bytes_of(some_values(tensor)))
    return found.hexdigest()[:32]


def _layers(encoder: nn.Module) -> list[nn.Module]:
    """An encoder, and what it wraps."""
    wraps = isinstance(encoder, FixedBatches | Offloaded)
    return [encoder, *(_layers(encoder.encoder) if wraps else [])]


def some_values(tensor: Tensor) -> Tensor:
    """Values taken evenly from a tensor: enough to distinguish 10 GB of weights in a second."""
    values = tensor.detach().flatten()
    return values[:: max(1, len(values) // _NUM_VALUES)]


def prompt_key(prompt: str) -> str:
    """The key that a prompt's embeddings are kept under."""
    return hashlib.sha256(prompt.encode()).hexdigest()


def _bytes_of(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()


def _device_of(encoder: TextEncoder | Codec) -> torch.device:
    if isinstance(encoder, Offloaded):
        return encoder.device
    tensors = [*encoder.parameters(), *encoder.buffers()] if isinstance(encoder, nn.Module) else []
    return tensors[0].device if tensors else torch.device("cpu")
