"""Assigns a kind of condition to each sample, so that the asked shares hold over all parts of a build together."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from cologen.datagen.apportion import quotas
from cologen.datagen.control.policy import ConditionMix
from cologen.datagen.pair_records import ConditionKind
from cologen.datagen.randomness import generator


def deal(
    able: Mapping[str, Collection[ConditionKind]], mix: ConditionMix, seed: int, first: int
) -> dict[str, ConditionKind]:
    """The kinds by sample id; a pure function of the arguments.

    ``able`` says of each sample id which kinds it can have, and ``first`` is the place of the first sample among all
    that are asked for. The kinds that fewest samples can have are dealt first. A sample for whose kinds no share is
    left gets none: any other rule would change the mix.
    """
    shares, dealt = mix.shares(), dict[str, ConditionKind]()
    left = quotas(list(able.values()), shares, first, shift=generator(seed, "quotas", first).random())
    ids = list(able)
    waiting = [ids[place] for place in generator(seed, "conditions", first).permutation(len(ids)).tolist()]
    for kind in sorted(shares, key=lambda kind: sum(kind in kinds for kinds in able.values())):
        chosen = [sample_id for sample_id in waiting if kind in able[sample_id]][: left[kind]]
        dealt.update(dict.fromkeys(chosen, kind))
        waiting = [sample_id for sample_id in waiting if sample_id not in dealt]
    return dealt
