"""Assigns a kind of mask to each sample: random, object and irregular at 20 / 40 / 40 % (section 2.3 of the paper).

The mix is held within one part, the only group of samples a worker sees, and is a pure function of that part. A
picture without objects can only take a random mask; where there are more of them than random masks are asked for, the
rest are rejected, since any other rule would change the mix.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from cologen.datagen.apportion import quotas
from cologen.datagen.faults import attempt
from cologen.datagen.masks.drawing import Canvas, DrawnMask, MaskKind, draw, targets
from cologen.datagen.masks.policy import MaskPolicy
from cologen.datagen.randomness import derived_seed, generator
from cologen.datagen.records import Reason, RejectedError

_KINDS: tuple[MaskKind, ...] = ("random", "object", "irregular")


def draw_masks(
    canvases: Sequence[Canvas], policy: MaskPolicy, seed: int, first: int
) -> list[DrawnMask | RejectedError]:
    """One mask or one reason for each canvas, in their order; a pure function of the arguments.

    ``first`` is the place of the part's first sample among all that are asked for, which decides what becomes of the
    fractions of a quota: where nothing is rejected, the mix is exact to one sample over the whole manifest.
    Random masks go to the pictures without objects first and then to others, in keyed order; the rest is split between
    the two object kinds. A picture on which one kind cannot be drawn is given another, and the kind another picture.
    """
    order: list[int] = generator(seed, "mixture", first).permutation(len(canvases)).tolist()
    found = [attempt(partial(targets, canvas, policy)) for canvas in canvases]
    has_targets = [bool(found_of) and not isinstance(found_of, RejectedError) for found_of in found]
    feasible = [_KINDS if targeted else _KINDS[:1] for targeted in has_targets]
    shares: dict[MaskKind, float] = {kind: getattr(policy.mix, kind) for kind in _KINDS}
    left = quotas(feasible, shares, first, shift=generator(seed, "quotas", first).random())
    outcomes: dict[int, DrawnMask | RejectedError] = {}
    for index in sorted(order, key=has_targets.__getitem__):
        outcome = found[index]
        if not isinstance(outcome, RejectedError):
            coin = derived_seed(seed, "mixture", canvases[index].sample_id) % 2
            outcome = _first_drawn(_kinds(left, has_targets[index], coin), canvases[index], policy, seed)
        if isinstance(outcome, DrawnMask):
            left[outcome.kind] -= 1
        outcomes[index] = outcome
    return [outcomes[index] for index in range(len(canvases))]


def _kinds(left: dict[MaskKind, int], has_targets: bool, coin: int) -> list[MaskKind]:
    """The kinds to try on the next sample: random while asked for, then whichever object kind lacks more.

    Where both lack as much the coin decides, or the one named first would be favoured in every part.
    """
    kinds: list[MaskKind] = ["random"] if left["random"] > 0 else []
    if has_targets:
        turn: tuple[MaskKind, ...] = ("object", "irregular") if coin else ("irregular", "object")
        kinds += sorted(turn, key=left.__getitem__, reverse=True)
    return kinds


def _first_drawn(kinds: list[MaskKind], canvas: Canvas, policy: MaskPolicy, seed: int) -> DrawnMask | RejectedError:
    outcome = RejectedError(Reason.NO_OBJECTS, "no object to mask, and the share of random masks is full")
    for kind in kinds:
        drawn = attempt(partial(draw, kind, canvas, policy, seed))
        if isinstance(drawn, DrawnMask):
            return drawn
        outcome = drawn
    return outcome
