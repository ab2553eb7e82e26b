"""Claims the folders that jobs build into: each is new, continued with the same recipe, or emptied to start over."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from cologen.datagen.engine.jobs import Job
from cologen.datagen.manifest import CARD_NAME, MANIFEST_NAME, REPORT_NAME, Manifest, load_manifest, maps, save_manifest
from cologen.datagen.manifest.folder import Folder


def prepare(jobs: Sequence[Job]) -> list[Job]:
    """See that all folders can be built into and empty those that start over; returns the jobs, to be continued.

    For jobs that are built one after the other, so that the last does not refuse its folder when the first is done.

    Raises:
        ValueError: as ``claimed``.
    """
    with ExitStack() as locks:
        claimed(jobs, locks)
    return [replace(job, fresh=False) for job in jobs]


def claimed(jobs: Sequence[Job], locks: ExitStack) -> list[Manifest]:
    """Lock the folders of all jobs until ``locks`` closes, and leave in each the manifest that the job fills.

    Raises:
        ValueError: a folder is not writable, holds another recipe's manifest, or is being built into.
    """
    manifests = [_claim(job, locks) for job in jobs]
    for job, manifest in zip(jobs, manifests, strict=True):
        _prepare(job, manifest)
    return manifests


def _claim(job: Job, locks: ExitStack) -> Manifest:
    """Lock the folder and see that it is this recipe's: new, continued, or (``fresh``) about to be emptied."""
    folder, manifest = job.pass_.folder, job.pass_.manifest()
    folder.create()
    locks.enter_context(folder.locked())
    visible = [name for name in folder.names() if not name.startswith(".")]
    if visible and MANIFEST_NAME not in visible:
        raise ValueError(f"{folder} holds {visible[0]} but no {MANIFEST_NAME}. Choose an empty --out.")
    if visible and not job.fresh and any(map(_is_part, visible)):
        _refuse_other_recipe(folder, load_manifest(folder), manifest)
    return manifest


def _prepare(job: Job, manifest: Manifest) -> None:
    """Sweep the folder, empty it if it starts over, and leave the manifest to be filled."""
    folder = job.pass_.folder
    folder.sweep()
    known = load_manifest(folder).recipe_hash if folder.exists(MANIFEST_NAME) and not job.fresh else None
    if known != manifest.recipe_hash:
        for name in folder.names():
            if name in (REPORT_NAME, CARD_NAME) or _is_part(name):
                folder.delete(name)
        save_manifest(folder, manifest)


def _is_part(name: str) -> bool:
    return name.startswith(("part-", "rejected-", maps.PREFIX))


def _refuse_other_recipe(folder: Folder, found: Manifest, asked: Manifest) -> None:
    if found.recipe_hash == asked.recipe_hash:
        return
    before, now = _flat(found.recipe), _flat(asked.recipe)
    changes = [
        f"  {name}: {before.get(name, 'absent')} there, {now.get(name, 'absent')} now"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    ]
    raise ValueError(
        f"{folder} was made by another recipe:\n"
        + "\n".join(changes)
        + "\nChoose another --out, or start over with --fresh (for concepts: --fresh-concepts)."
    )


def _flat(recipe: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in recipe.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat
