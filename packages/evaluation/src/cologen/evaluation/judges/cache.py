"""Answers kept on disk by what was asked, so that a judge is asked each question once, in whatever run.

    judge-cache/3f/3fa9….json    {"fingerprint": …, "prompt": …, "pictures": […], "text": …, "model": …, "sha256": …}

Every answer is kept, refusals and those in the wrong form too: asking until an answer pleases would be choosing. To ask
a question again, delete its file.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson

from cologen.evaluation.judges.asking import Answer, VisionModel
from cologen.model.files import write_atomically

FIRST_PROMPT = 'Answer with the JSON object {"ready": true} and nothing else.'
"""Asked before any picture: it shows that the judge answers, the name it states, and from which day on."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedModel:
    """A model whose answers are kept in ``folder``; ``first`` is its first one, from ``open_cached``."""

    model: VisionModel
    folder: Path
    first: Answer
    _asking: dict[str, threading.Lock] = field(default_factory=lambda: {}, repr=False)

    @property
    def identity(self) -> str:
        """The model as asked for and as it names itself, and the day of the first answer that is kept."""
        return f"{self.model.fingerprint}, named {self.first.model or 'nothing'} by itself, since {self.first.day}"

    def ask(self, prompt: str, pictures: Sequence[bytes]) -> Answer:
        """As ``VisionModel``; the same question from several threads is asked once.

        Raises:
            ScoreError: ``no_answer``; nothing is kept.
            ValueError: the model behind the name is another one than at the first answer.
        """
        with self._asking.setdefault(question_key(self.model, prompt, pictures), threading.Lock()):
            answer = _ask(self.model, self.folder, prompt, pictures)
        if answer.model and self.first.model and answer.model != self.first.model:
            raise ValueError(
                f"the judge is another model than before: it named itself {self.first.model} on {self.first.day} and "
                f"{answer.model} on {answer.day}. One figure needs one judge: use another folder than {self.folder}"
            )
        return answer


def open_cached(model: VisionModel, folder: Path) -> CachedModel:
    """The model with its kept answers, asked one short question if it never was.

    Raises:
        ScoreError: ``no_answer``.
        ValueError: the model will answer no question as it is set up.
    """
    return CachedModel(model=model, folder=folder, first=_ask(model, folder, FIRST_PROMPT, ()))


def question_key(model: VisionModel, prompt: str, pictures: Sequence[bytes]) -> str:
    """A question's sha256: the model with its settings, the prompt's text and the pictures' bytes."""
    digest = hashlib.sha256()
    for part in (model.fingerprint.encode(), prompt.encode(), *pictures):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()


def answer_path(folder: Path, key: str) -> Path:
    """Where the answer to a question is kept."""
    return folder / key[:2] / f"{key}.json"


def _ask(model: VisionModel, folder: Path, prompt: str, pictures: Sequence[bytes]) -> Answer:
    path = answer_path(folder, question_key(model, prompt, pictures))
    if (kept := _kept(path)) is not None:
        return kept
    answer = model.ask(prompt, pictures)
    if (kept := _kept(path)) is not None:
        return kept  # another process was faster: its answer is the one
    question = {
        "fingerprint": model.fingerprint,
        "prompt": prompt,
        "pictures": [hashlib.sha256(picture).hexdigest() for picture in pictures],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, _entry({**question, **asdict(answer)}))
    return answer


def _entry(content: dict[str, Any]) -> bytes:
    return orjson.dumps({**content, "sha256": _checksum(content)}, option=orjson.OPT_INDENT_2)


def _checksum(content: dict[str, Any]) -> str:
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _kept(path: Path) -> Answer | None:
    try:
        entry: dict[str, Any] = orjson.loads(path.read_bytes())
        if entry.pop("sha256") == _checksum(entry):
            return Answer(text=entry["text"], model=entry["model"], day=entry["day"], ending=entry["ending"])
    except FileNotFoundError:
        return None
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        pass  # said below, as a wrong checksum is
    _log.warning("%s is damaged and removed: the judge is asked this question again", path)
    path.unlink(missing_ok=True)
    return None
