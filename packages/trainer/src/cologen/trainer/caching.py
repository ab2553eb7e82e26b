"""Text embeddings and latents kept on disk by content: what was encoded once is read instead, bit for bit the same.

A key is the hash of what is encoded, and each encoder has a folder of its own, named by what it is. Each prompt and
picture is encoded alone, so that nothing kept depends on the company it was first met in.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from cologen.datagen import cache
from cologen.model.codecs import Codec
from cologen.model.text import Prompts, TextEncoder

_LOG = logging.getLogger(__name__)
_NUM_VALUES = 64

MIN_FREE = 0.1
"""The share of the disk that stays free: with less, nothing more is kept."""


@dataclass(slots=True)
class Kept:
    """Tensors on disk by key; a file that is not whole is as good as none."""

    folder: Path
    _writable: bool = field(init=False, default=True)

    def read(self, key: str) -> dict[str, Tensor] | None:
        """The tensors of a key, on the CPU."""
        try:
            return load(self._path(key).read_bytes())
        except (OSError, SafetensorError):
            return None

    def write(self, key: str, tensors: Mapping[str, Tensor]) -> None:
        """Keep them if there is room; the file appears at once. What cannot be written is said once."""
        data = save({name: value.detach().cpu().contiguous() for name, value in tensors.items()})
        try:
            if self._writable:
                self._write(self._path(key), data)
        except OSError as error:
            self._writable = False
            _LOG.warning("nothing more is kept in %s: %s", self.folder, error)

    def _write(self, path: Path, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        disk = shutil.disk_usage(path.parent)
        if disk.free < MIN_FREE * disk.total:
            raise OSError(errno.ENOSPC, f"less than {MIN_FREE:.0%} of the disk is free")
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
        try:
            temporary.write_bytes(data)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.safetensors"


class KeptText:
    """A text encoder whose results are kept: ``text.TextEncoder``."""

    def __init__(self, encoder: TextEncoder, folder: Path | None = None) -> None:
        self._encoder, self._device = encoder, _device_of(encoder)
        self._kept = Kept((folder or cache.folder() / "text") / identity(encoder))

    def encode(self, prompts: Sequence[str]) -> Prompts:
        """Encode each prompt, or read what it was encoded to."""
        found = [self._one(prompt) for prompt in prompts]
        embeds, pooled = (torch.cat([each[name] for each in found]) for name in ("embeds", "pooled"))
        return Prompts(embeds.to(self._device), pooled.to(self._device))

    def _one(self, prompt: str) -> dict[str, Tensor]:
        key = hashlib.sha256(prompt.encode()).hexdigest()
        found = self._kept.read(key)
        if found is None:
            encoded = self._encoder.encode([prompt])
            found = {"embeds": encoded.embeds.cpu(), "pooled": encoded.pooled.cpu()}
            self._kept.write(key, found)
        return found


class KeptLatents:
    """A codec whose latents are kept by the bytes of the picture: ``codecs.Codec``.

    It saves work where the same pixels come again: pictures that fill their size, not those cropped anew each time.
    """

    def __init__(self, codec: Codec, folder: Path | None = None) -> None:
        self._codec, self._device = codec, _device_of(codec)
        self._kept = Kept((folder or cache.folder() / "latents") / identity(codec))

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
    # Flags are left out: whether it trains or has warned already is no part of what it is.
    plain = {name: value for name, value in vars(encoder).items() if type(value) in (int, float, str)}
    found = hashlib.sha256(repr((type(encoder).__qualname__, sorted(plain.items()))).encode())
    tensors = dict(encoder.named_parameters()) | dict(encoder.named_buffers())
    for name, tensor in sorted(tensors.items()):
        found.update(repr((name, tensor.dtype, tuple(tensor.shape), tensor.device.type)).encode())
        found.update(_bytes_of(some_values(tensor)))
    return found.hexdigest()[:32]


def some_values(tensor: Tensor) -> Tensor:
    """Values taken evenly from a tensor, by which 10 GB of weights are told apart in a second."""
    values = tensor.detach().flatten()
    return values[:: max(1, len(values) // _NUM_VALUES)]


def _bytes_of(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()


def _device_of(encoder: TextEncoder | Codec) -> torch.device:
    tensors = [*encoder.parameters(), *encoder.buffers()] if isinstance(encoder, nn.Module) else []
    return tensors[0].device if tensors else torch.device("cpu")
