"""Which sample gets which kind of mask: random, object and irregular at 20 / 40 / 40 % (section 2.3 of the paper).

The mix is held within one part, the only group of samples a worker sees, and is a pure function of that part. A
picture without objects can only take a random mask; where there are more of them than random masks are asked for, the
rest are turned away, since any other rule would bend the mix.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from cologen.datagen.masks.drawing import Canvas, DrawnMask, MaskKind, draw, targets
from cologen.datagen.masks.policy import MaskMix, MaskPolicy
from cologen.datagen.randomness import derived_seed, generator
from cologen.datagen.records import Reason, RejectedError

_EPSILON = 1e-9  # a fifth of five is one whole sample


def draw_masks(
    canvases: Sequence[Canvas], policy: MaskPolicy, seed: int, first: int
) -> list[DrawnMask | RejectedError]:
    """One mask or one reason for each canvas, in their order; a pure function of the arguments.

    ``first`` is the place of the part's first sample among all that are asked for, which decides what becomes of the
    fractions of a quota: where nothing is turned away, the mix is exact to one sample over the whole manifest.
    Random masks go to the pictures without objects first and then to others, in keyed order; the rest is split between
    the two object kinds. A picture on which one kind cannot be drawn is given another, and the kind another picture.
    """
    order: list[int] = generator(seed, "mixture", first).permutation(len(canvases)).tolist()
    has_targets = [bool(targets(canvas, policy)) for canvas in canvases]
    left = _quotas(has_targets, policy.mix, first, shift=generator(seed, "quotas", first).random())
    outcomes: dict[int, DrawnMask | RejectedError] = {}
    for index in sorted(order, key=has_targets.__getitem__):
        coin = derived_seed(seed, "mixture", canvases[index].sample_id) % 2
        outcome = _first_drawn(_kinds(left, has_targets[index], coin), canvases[index], policy, seed)
        if isinstance(outcome, DrawnMask):
            left[outcome.kind] -= 1
        outcomes[index] = outcome
    return [outcomes[index] for index in range(len(canvases))]


def _quotas(has_targets: list[bool], mix: MaskMix, first: int, shift: float) -> dict[MaskKind, int]:
    """How many masks of each kind make the asked mix, with as many samples as the mix allows.

    With m pictures that have objects no more than m / (1 − random) samples keep the shares. Of n samples from ``first``
    on, those up to the cumulative share c are ⌊(first + n) c⌋ − ⌊first c⌋: part by part they add up to the exact mix.
    Where fewer are usable the parts do not join, and ``shift``, uniform in [0, 1), makes each right in the mean.
    """
    usable = float(len(has_targets))
    if mix.random < 1:
        usable = min(usable, sum(has_targets) / (1 - mix.random))
    shift = _EPSILON if usable == len(has_targets) else shift
    up_to = [
        math.floor((first + usable) * share + shift) - math.floor(first * share + shift)
        for share in (mix.random, mix.random + mix.object, 1.0)
    ]
    return {"random": up_to[0], "object": up_to[1] - up_to[0], "irregular": up_to[2] - up_to[1]}


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
        try:
            return draw(kind, canvas, policy, seed)
        except RejectedError as error:
            outcome = error
    return outcome
