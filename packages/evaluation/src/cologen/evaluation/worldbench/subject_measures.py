"""Customized generation: whether the subject is there, in the scene that the prompt asks for."""

from __future__ import annotations

from dataclasses import dataclass

from cologen.datagen.world.levels import LEVELS
from cologen.datagen.world.subjects import SubjectPair
from cologen.evaluation.worldbench.drawing_measures import SaidValues, said
from cologen.evaluation.worldbench.reading import Reading
from cologen.evaluation.worldbench.statements import statements


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectValues:
    """Of one picture: ``subject`` is 1 if an object has the subject's shape, colour and texture; ``prompt`` is what the
    words say, for which the subject may be of any colour.

    ``whole`` is 1 if the subject and all that the prompt says are right. What an object's texture looks like beyond its
    kind, and its exact size, are not read.
    """

    subject: float
    prompt: SaidValues
    whole: float


def customized(reading: Reading, pair: SubjectPair) -> SubjectValues:
    """What was read of a picture for the pair's second scene.

    Raises:
        ValueError: the pair's level has no plain words, so that its prompt cannot be parsed.
    """
    scene = pair.second
    if not LEVELS[scene.level].plain_words:
        raise ValueError(f"expected a pair of a level with plain words, got one of {scene.level!r}")
    thing = scene.objects[pair.second_index]
    looks = thing.shape, thing.color, thing.texture
    there = any((each.shape, each.color, each.texture) == looks for each in reading.objects)
    prompt = said(statements(pair.second_words), reading)
    return SubjectValues(subject=float(there), prompt=prompt, whole=float(there and prompt.whole == 1))
