"""Chooses the objects of a picture to refer to, their phrase, and one of the three tasks (paper, section 2.3).

Box and mask referring take an annotator's expression, or a whole class ("the dog", "all dogs") where the annotation is
exhaustive; instance referring takes any one object of a class. The mix is held within one part, as that of masks is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from cologen.datagen import rle
from cologen.datagen.apportion import quotas
from cologen.datagen.faults import attempt
from cologen.datagen.grounding import nouns
from cologen.datagen.grounding.marks import shows_corner
from cologen.datagen.grounding.phrasing import Form, Phrase, cleaned, phrase_for
from cologen.datagen.grounding.policy import REFERRINGS, GroundingPolicy, Referring
from cologen.datagen.randomness import generator
from cologen.datagen.records import Image, ObjectMask, Reason, RejectedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Referral:
    """What one sample refers to; without targets it is a negative: nothing in the picture is meant."""

    referring: Referring
    phrase: Phrase
    targets: tuple[ObjectMask, ...]
    inverse: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reference:
    """Words and the places of the objects they mean; ``any`` means one of them, all other forms all of them."""

    form: Form
    words: str
    members: tuple[int, ...]


_References = Mapping[Referring, list[_Reference]]


def draw_referrals(
    samples: Mapping[str, Image], policy: GroundingPolicy, seed: int, first: int
) -> list[Referral | RejectedError]:
    """What each sample refers to, or why it cannot, in their order; a pure function of the arguments.

    ``samples`` are pictures by sample id and ``first`` is the place of the first among all that are asked for. Samples
    that can serve fewer tasks choose first. Where a task has no picture left, samples are rejected: any other rule
    would change the mix.
    """
    ids = list(samples)
    order: list[int] = generator(seed, "referrals", first).permutation(len(ids)).tolist()
    found = [attempt(partial(_references, sample_id, image, policy, seed)) for sample_id, image in samples.items()]
    feasible: list[list[Referring]] = [
        [] if isinstance(references, RejectedError) else [task for task in REFERRINGS if references[task]]
        for references in found
    ]
    shares: dict[Referring, float] = {task: getattr(policy.mix, task) for task in REFERRINGS}
    left = quotas(feasible, shares, first, shift=generator(seed, "quotas", first).random())
    outcomes: dict[int, Referral | RejectedError] = {}
    for index in sorted(order, key=lambda index: len(feasible[index])):
        references = found[index]
        if isinstance(references, RejectedError):
            outcomes[index] = references
            continue
        stream = generator(seed, ids[index], "referral")
        # Shuffled, or among equals the task named first would be favoured in every part.
        shuffled = [REFERRINGS[place] for place in stream.permutation(len(REFERRINGS))]
        tasks: list[Referring] = [one for one in shuffled if one in feasible[index]]
        tasks.sort(key=left.__getitem__)
        if not tasks or left[tasks[-1]] <= 0:
            outcomes[index] = _refusal(tasks)
            continue
        left[tasks[-1]] -= 1
        image = samples[ids[index]]
        outcomes[index] = attempt(partial(_referral, tasks[-1], references[tasks[-1]], image, policy, stream))
    return [outcomes[index] for index in range(len(ids))]


def _refusal(tasks: list[Referring]) -> RejectedError:
    if tasks:
        return RejectedError(Reason.NO_OBJECTS, f"fit for {', '.join(tasks)} only, whose share is full")
    return RejectedError(Reason.NO_OBJECTS, "no object of a fit size that words mean")


def _referral(
    task: Referring, references: list[_Reference], image: Image, policy: GroundingPolicy, stream: np.random.Generator
) -> Referral:
    reference = _chosen(references, policy, stream)
    members = reference.members
    phrase = phrase_for(reference.form, reference.words, len(members), stream)
    if reference.form == "any" and members:
        members = (members[int(stream.integers(len(members)))],)
    targets = tuple(image.objects[place] for place in members)
    inverse = bool(stream.random() < policy.inverse and targets)
    return Referral(referring=task, phrase=phrase, targets=targets, inverse=inverse)


def _chosen(references: list[_Reference], policy: GroundingPolicy, stream: np.random.Generator) -> _Reference:
    """One of the references: a whole class as often as the policy asks, and one of several where that is a choice."""
    expressions = [one for one in references if one.form == "expression"]
    classes = [one for one in references if one.form != "expression"]
    if expressions and (not classes or stream.random() >= policy.all_instances):
        classes = expressions
    elif several := [one for one in classes if one.form == "any" and len(one.members) > 1]:
        classes = several
    return classes[int(stream.integers(len(classes)))]


def _references(sample_id: str, image: Image, policy: GroundingPolicy, seed: int) -> _References:
    """All that can be referred to in a picture, by task."""
    present = {nouns.said(item.noun) for item in image.objects if item.noun}
    absent = sorted({nouns.said(noun) for noun in image.absent_nouns} - present - {""})
    if absent and generator(seed, sample_id, "negative").random() < policy.negative:
        return _negatives(absent)
    fit = _fit_objects(image, policy)
    several = [*_expressions(image), *_whole_classes(image)]
    masks = [one for one in several if len(one.members) <= policy.max_targets and fit.issuperset(one.members)]
    framed = {place for place in fit if _can_be_framed(image, image.objects[place], policy)}
    boxes = [one for one in masks if framed.issuperset(one.members)]
    return {"box": boxes, "mask": masks, "instance": list(_instances(image, framed))}


def _negatives(absent: list[str]) -> _References:
    some = [_Reference(form="any", words=noun, members=()) for noun in absent]
    forms: tuple[Form, ...] = ("the", "all")
    named = [_Reference(form=form, words=noun, members=()) for noun in absent for form in forms]
    return {"box": named, "mask": named, "instance": some}


def _expressions(image: Image) -> Iterator[_Reference]:
    for expression in image.expressions:
        if expression.targets and cleaned(expression.text):
            yield _Reference(form="expression", words=expression.text, members=expression.targets)


def _whole_classes(image: Image) -> Iterator[_Reference]:
    """Classes of which every member is known: none in a crowd, and none that the annotators may have left out."""
    uncounted = {nouns.said(noun) for noun in image.partial_nouns}
    uncounted |= {nouns.said(item.noun) for item in image.objects if item.noun and item.kind != "thing"}
    for noun, members in _things_by_noun(image).items():
        if noun not in uncounted:
            yield _Reference(form="the" if len(members) == 1 else "all", words=noun, members=members)


def _instances(image: Image, framed: set[int]) -> Iterator[_Reference]:
    for noun, members in _things_by_noun(image).items():
        if found := tuple(place for place in members if place in framed):
            yield _Reference(form="any", words=noun, members=found)


def _things_by_noun(image: Image) -> dict[str, tuple[int, ...]]:
    """Places of countable objects by the noun as it is said: what people call the same is one class."""
    found: dict[str, tuple[int, ...]] = {}
    for place, item in enumerate(image.objects):
        noun = nouns.said(item.noun or "")
        if noun and item.kind == "thing":
            found[noun] = (*found.get(noun, ()), place)
    return found


def _fit_objects(image: Image, policy: GroundingPolicy) -> set[int]:
    pixels = image.height * image.width
    smallest, largest = max(1, policy.min_object_area * pixels), policy.max_object_area * pixels
    areas = rle.areas([item.rle for item in image.objects])
    return {place for place, area in enumerate(areas) if smallest <= area <= largest}


def _can_be_framed(image: Image, item: ObjectMask, policy: GroundingPolicy) -> bool:
    line_width = policy.line_pixels(policy.line_width[1], image.height, image.width)
    return shows_corner(item.box.xyxy(), line_width, image.height, image.width)
