"""A judge on this machine: an image-text-to-text folder of transformers, such as Qwen2.5-VL, decoding greedily."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import PIL.Image

from cologen.datagen.model_files import sha256_of
from cologen.evaluation.judges.asking import Answer, today

if TYPE_CHECKING:
    import torch


class LocalModel:
    """A ``VisionModel`` from a folder; the weights are read at the first question that is not in the cache.

    Questions are answered one at a time, each a batch of its own. Settings of ``generation_config.json`` that matter
    to greedy decoding (a repetition penalty, the tokens that end an answer) are the model's own.
    """

    def __init__(self, folder: Path, *, device: str = "cpu", max_tokens: int = 1024) -> None:
        if not (folder / "config.json").is_file():
            raise FileNotFoundError(
                f"{folder} is no folder of an image-text-to-text model: expected config.json, weights, tokenizer and "
                "preprocessor settings, as save_pretrained writes them"
            )
        self._folder, self._device, self._max_tokens = folder, device, max_tokens
        self._one_at_a_time = threading.Lock()
        self._name = f"{folder.name}@{_hash_of_files(folder)[:12]}"

    @property
    def fingerprint(self) -> str:
        """The folder's name and a hash of all its files, the device's kind, and the settings of decoding."""
        kind = self._device.partition(":")[0]
        return f"{self._name} on {kind}, greedy, {self._max_tokens} tokens"

    def ask(self, prompt: str, pictures: Sequence[bytes]) -> Answer:
        """See ``VisionModel``."""
        with self._one_at_a_time:
            text, ended = self._generate(prompt, [PIL.Image.open(io.BytesIO(each)).convert("RGB") for each in pictures])
        return Answer(text=text, model=self._name, day=today(), ending="complete" if ended else "cut")

    @cached_property
    def _processor(self) -> Any:
        from transformers import AutoProcessor

        processor: Any = AutoProcessor
        return processor.from_pretrained(self._folder, local_files_only=True)

    @cached_property
    def _model(self) -> Any:
        from transformers import AutoModelForImageTextToText

        from cologen.model.files import read_whole

        model: Any = read_whole(AutoModelForImageTextToText, self._folder, dtype="auto")
        return model.to(self._device).eval()

    def _generate(self, prompt: str, pictures: Sequence[PIL.Image.Image]) -> tuple[str, bool]:
        """The text, and whether the model ended it itself."""
        import torch

        content = [{"type": "text", "text": prompt}, *({"type": "image", "image": each} for each in pictures)]
        inputs = self._processor.apply_chat_template(
            [{"role": "user", "content": content}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        ).to(self._device, self._model.dtype)
        with torch.inference_mode():
            tokens: torch.Tensor = self._model.generate(
                **inputs, do_sample=False, num_beams=1, max_new_tokens=self._max_tokens, **_NO_SAMPLING
            )
        new = tokens[0, inputs["input_ids"].shape[1] :]
        return self._processor.decode(new, skip_special_tokens=True), int(new[-1]) in self._ends()

    def _ends(self) -> frozenset[int]:
        ends = self._model.generation_config.eos_token_id
        return frozenset([ends] if isinstance(ends, int) else ends or ())


_NO_SAMPLING = {"temperature": None, "top_p": None, "top_k": None}
"""Published folders set these, and transformers warns of them where nothing is sampled."""


def _hash_of_files(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(each for each in folder.rglob("*") if each.is_file() and not _hidden(each, folder)):
        digest.update(f"{path.relative_to(folder)}\0{sha256_of(path)}\n".encode())
    return digest.hexdigest()


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)
