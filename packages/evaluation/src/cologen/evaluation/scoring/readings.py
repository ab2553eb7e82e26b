"""What the networks read in a part's pictures and texts: each network sees each distinct picture once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from cologen.evaluation.judges.judging import judge_cases
from cologen.evaluation.network import Judge, PictureNetwork, TextNetwork
from cologen.evaluation.records import Case, Need, Picture, ScoreError

Networks = Mapping[str, Any]
"""By the names that needs use; each a ``PictureNetwork``, ``TextNetwork`` or ``Judge``."""

Reading = np.ndarray | ScoreError


@dataclass(slots=True)
class Readings:
    """Readings by network and content, of one part; made for all of its cases before any is measured."""

    networks: Networks
    _held: dict[tuple[str, bytes], Reading] = field(default_factory=lambda: {})

    def prepare(self, needs: Iterable[Need], cases: Sequence[Case]) -> None:
        """Have the networks read what the cases hold, batched by network; the judge is asked by ``ask``."""
        needs = list(dict.fromkeys(needs))
        for name in dict.fromkeys(need.network for need in needs):
            if name == "judge":
                continue
            network: PictureNetwork = self.networks[name]
            pictures: dict[bytes, Picture] = {}
            texts: dict[bytes, str] = {}
            for need in needs:
                for case in cases if need.network == name else ():
                    if need.slot == "texts":
                        text = case.expected.texts.get(need.text)
                        texts |= {} if text is None else {_key_of_text(text): text}
                    else:
                        pictures |= {_key(picture): picture for picture in _pictures(need, case)}
            self._read(name, network.read, pictures)
            if texts:
                self._read(name, cast(TextNetwork, network).read_texts, texts)

    def of(self, case: Case, needs: Iterable[Need]) -> dict[Need, np.ndarray]:
        """The readings of one case that these needs ask for; a need without its slot in this case is left out.

        Raises:
            ScoreError: a network or the judge could not read something.
        """
        found: dict[Need, np.ndarray] = {}
        for need in needs:
            if need.network == "judge":
                found[need] = self._reading(need.network, _key_of_case(case))
            elif need.slot == "texts":
                text = case.expected.texts.get(need.text)
                if text is not None:
                    found[need] = self._reading(need.network, _key_of_text(text))
            elif pictures := _pictures(need, case):
                rows = [self._reading(need.network, _key(picture)) for picture in pictures]
                found[need] = np.stack(rows) if need.slot == "references" else rows[0]
        return found

    def _read(self, name: str, read: Callable[[list[Any]], list[np.ndarray]], content: Mapping[bytes, Any]) -> None:
        new = {key: each for key, each in content.items() if (name, key) not in self._held}
        if not new:
            return
        for key, reading in zip(new, _each(read, list(new.values())), strict=True):
            self._held[name, key] = reading

    def _reading(self, name: str, key: bytes) -> np.ndarray:
        reading = self._held[name, key]
        if isinstance(reading, ScoreError):
            raise reading
        if not np.isfinite(reading).all():
            raise ScoreError("not_finite", f"{name} gave NaN or infinity")
        return reading

    def ask(self, cases: Sequence[Case]) -> None:
        """Ask the judge about these cases, as many at a time as it allows."""
        judge: Judge = self.networks["judge"]
        concurrency = getattr(judge, "concurrency", 1)
        for case, scores in zip(cases, judge_cases(judge, cases, concurrency=concurrency), strict=True):
            self._held["judge", _key_of_case(case)] = scores


def _each(read: Callable[[list[Any]], list[np.ndarray]], content: list[Any]) -> list[Reading]:
    """All together; where one cannot be read, each alone, so that only that one is lost."""
    try:
        return list(read(content))
    except ScoreError as error:
        if len(content) == 1:
            return [error]
        return [_each(read, [each])[0] for each in content]


def _pictures(need: Need, case: Case) -> tuple[Picture, ...]:
    if need.slot == "output":
        return (case.output,)
    if need.slot == "references":
        return case.expected.references
    picture = case.expected.source if need.slot == "source" else case.expected.target
    return () if picture is None else (picture,)


def _key(picture: Picture) -> bytes:
    digest = hashlib.blake2b(str(picture.shape).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(picture).data)
    return digest.digest()


def _key_of_case(case: Case) -> bytes:
    return _key(case.output) + case.item.item_id.encode()


def _key_of_text(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16, person=b"text").digest()
