"""Settings that make a run fit: each one named was tried on the estimate, alone or together with others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from cologen.trainer.dry_run.estimates import Setup, memory
from cologen.trainer.recipes.curriculum import Recipe, unshardable_base

_MORE_GPUS = (2, 4, 8, 16, 32, 64)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attempt:
    """A recipe and a setup with some settings changed, as they are given on the command line."""

    recipe: Recipe
    setup: Setup
    told: tuple[str, ...] = ()

    def largest(self, stages: Sequence[int]) -> float:
        """Bytes on each GPU in the stage that needs most."""
        return max(memory(self.recipe, number, self.setup).total for number in stages)

    def changed(self, told: str, **fields: object) -> _Attempt:
        """With other fields of the recipe."""
        return replace(self, recipe=self.recipe.replace(**fields), told=(*self.told, told))


def for_memory(recipe: Recipe, stages: Sequence[int], setup: Setup) -> str:
    """What makes all stages fit into a GPU's memory: the fewest settings, the cheapest first; or that none does."""
    room = setup.gpu.memory * 1e9
    now = _Attempt(recipe=recipe, setup=setup)
    attempts = list(_attempts(now))
    for attempt in attempts:
        if attempt.largest(stages) <= room:
            return f"this fits: {' '.join(attempt.told)} ({attempt.largest(stages) / 1e9:.1f} GB)"
    least = min(attempts, key=lambda attempt: attempt.largest(stages), default=now)
    needed = f"it takes a GPU with {least.largest(stages) / 1e9:.0f} GB"
    if least.told:
        needed = f"no setting suffices: with {' '.join(least.told)} it still {needed[3:]}"
    return f"{needed}{_with_more_gpus(now, stages, room)}"


def _with_more_gpus(now: _Attempt, stages: Sequence[int], room: float) -> str:
    for num_gpus in (number for number in _MORE_GPUS if number > now.setup.num_gpus):
        more = replace(now, setup=replace(now.setup, num_gpus=num_gpus, sharded=False), told=(f"--gpus {num_gpus}",))
        for attempt in _attempts(more):
            divided = not undivided(attempt.recipe, stages, num_gpus)
            if attempt.setup.sharded and divided and attempt.largest(stages) <= room:
                return f"; this fits: {' '.join(attempt.told)}"
    return ""


def _attempts(now: _Attempt) -> Iterator[_Attempt]:
    """Every allowed combination of settings that save memory, from few to many."""
    tries = (
        "micro_batch",
        "offload_text",
        "gradient_checkpointing",
        "fsdp",
        "fp8",
        "eight_bit",
        "stored_text",
        "nf4",
        "offload_base",
    )
    for count in range(1, len(tries) + 1):
        for names in combinations(tries, count):
            yield from _applied(now, names)


def _applied(now: _Attempt, names: Sequence[str]) -> Iterator[_Attempt]:
    """The attempt with these settings changed; micro batches in several sizes, the largest first. Nothing, if one is
    set already."""
    recipe, setup = now.recipe, now.setup
    found = now
    if "offload_text" in names:
        if recipe.offload_text or recipe.stored_text:
            return
        found = found.changed("--set offload_text=true", offload_text=True)
    if "gradient_checkpointing" in names:
        if recipe.gradient_checkpointing:
            return
        found = found.changed("--set gradient_checkpointing=true", gradient_checkpointing=True)
    smaller = [name for name in ("fp8", "nf4", "offload_base") if name in names]
    if smaller and (len(smaller) > 1 or _base_is_settled(found.recipe)):
        return
    if "offload_base" in smaller:
        if not found.recipe.gradient_checkpointing or found.recipe.compile:
            return
        found = found.changed("--set offload_base=true", offload_base=True)
    elif smaller:
        found = found.changed(f"--set quantize_base={smaller[0]}", quantize_base=smaller[0])
    if "eight_bit" in names:
        if recipe.optimizer.eight_bit or recipe.optimizer.kind != "adamw":
            return
        found = found.changed("--set optimizer.eight_bit=true", optimizer=recipe.optimizer.replace(eight_bit=True))
    if "stored_text" in names:
        if not _can_store_text(found.recipe):
            return
        found = found.changed("--set stored_text=true", stored_text=True)
    if "fsdp" in names:
        if setup.sharded or setup.num_gpus == 1:
            return
        found = replace(found, setup=replace(setup, sharded=True), told=(*found.told, "--strategy fsdp"))
    if conflicts(found.recipe, found.setup):
        return
    if "micro_batch" not in names:
        yield found
        return
    for size in reversed(range(1, recipe.micro_batch)):
        if not any(stage.global_batch % (size * setup.num_gpus) for stage in recipe.stages):
            yield found.changed(f"--set micro_batch={size}", micro_batch=size)


def _base_is_settled(recipe: Recipe) -> bool:
    """Whether it trains, or is kept smaller already."""
    return recipe.stages[0].trains_base or unshardable_base(recipe) is not None


def _can_store_text(recipe: Recipe) -> bool:
    """Whether text embeddings can be made ahead, and nothing else is done about text yet."""
    settled = recipe.stored_text or recipe.cache_text or recipe.offload_text
    return not (settled or any(stage.scenes is not None for stage in recipe.stages))


def conflicts(recipe: Recipe, setup: Setup) -> list[str]:
    """What the strategy cannot do with this recipe."""
    if not setup.sharded or setup.num_gpus == 1:
        return []
    found: list[str] = []
    if not recipe.gradient_checkpointing:
        found.append("--strategy fsdp needs gradient checkpointing: --set gradient_checkpointing=true")
    if unshardable := unshardable_base(recipe):
        found.append(unshardable)
    if recipe.optimizer.eight_bit:
        found.append("optimizer.eight_bit cannot be sharded: --strategy ddp, or --set optimizer.eight_bit=false")
    if recipe.optimizer.kind == "muon":
        found.append("optimizer.kind=muon cannot be sharded: --strategy ddp, or --set optimizer.kind=adamw")
    return found


def undivided(recipe: Recipe, stages: Sequence[int], num_gpus: int) -> list[int]:
    """The stages whose global batch is no multiple of micro batch times GPUs."""
    return [number for number in stages if recipe.stages[number].global_batch % (num_gpus * recipe.micro_batch)]


def for_division(recipe: Recipe, stages: Sequence[int], setup: Setup) -> str:
    """Settings of which any one makes each global batch a whole number of micro batches on each GPU."""
    batches = [recipe.stages[number].global_batch for number in stages]
    sizes = [
        size
        for size in range(1, recipe.micro_batch)
        if not any(stage.global_batch % (size * setup.num_gpus) for stage in recipe.stages)
    ]
    most = max(batches, default=0) // recipe.micro_batch
    fitting = [count for count in range(1, most + 1) if not undivided(recipe, stages, count)]
    fewer = [count for count in fitting if count < setup.num_gpus][-1:]
    more = [count for count in fitting if count > setup.num_gpus][:1]
    together = setup.num_gpus * recipe.micro_batch
    tasks = [recipe.stages[number].task for number in undivided(recipe, stages, setup.num_gpus)]
    others = " ".join(
        f"--set stages.{task}.global_batch={max(1, round(recipe.stage(task).global_batch / together)) * together}"
        for task in tasks
    )
    remedies = [
        *(f"--set micro_batch={size}" for size in sizes[-1:]),
        *(f"--gpus {count}" for count in (*fewer, *more)),
        others,
    ]
    return f"any of these does: {', or '.join(remedies)}"
