"""What a worker does with one part: opens the pass, runs it, commits the part, and retries where that may help."""

from __future__ import annotations

import errno
import gc
import json
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

import cv2

from cologen.datagen.engine.cluster import FailurePolicy
from cologen.datagen.engine.jobs import Pass
from cologen.datagen.engine.parts import Part
from cologen.datagen.faults import described, is_fault_of_accelerator, is_fault_of_machine
from cologen.datagen.manifest import PartContent, commit_part, committed_part
from cologen.datagen.records import Reason

_POLICY = FailurePolicy()
_UNREADABLE_SHARE = 16  # at most one picture of so many may be skipped as unreadable; more is a failing disk


def run_part(row: dict[str, Any], pass_: Pass, policy: FailurePolicy = _POLICY) -> dict[str, Any]:
    """Commit the part unless it is committed already; ``done`` grows by this pass's report.

    Errors are returned as ``failure``, since Ray would hide the message; with ``fatal`` if the pass does not open.
    Errors of the machine are tried again here, an accelerator's in another process.

    Raises:
        Exception: the accelerator's; this process cannot use it any more.
    """
    index, done = int(row["id"]), json.loads(row.get("done", "[]"))
    failed = {"id": index, "done": json.dumps(done)}
    for number in range(1, policy.tries + 1):
        time.sleep(policy.pause_before(number))
        try:
            report = committed_part(pass_.folder, index)
            reused = report is not None
            if report is None:
                report = commit_part(pass_.folder, index, _content(pass_, index, last_try=number == policy.tries))
            return failed | {"done": json.dumps([*done, [report.model_dump(), reused]]), "failure": ""}
        except _NotOpenedError as error:
            return failed | {"failure": str(error), "fatal": True}
        except Exception as error:  # whatever it is, the other parts go on
            logging.getLogger(__name__).exception("part %d of %s, try %d", index, pass_.folder, number)
            if is_fault_of_accelerator(error):
                raise
            if number == policy.tries or not is_fault_of_machine(error):
                return failed | {"failure": _why(error) + (f" ({number} tries)" if number > 1 else "")}
    raise AssertionError("the last try returns")


class _NotOpenedError(Exception):
    """The pass does not open, for this part or any other."""


def _content(pass_: Pass, index: int, *, last_try: bool) -> PartContent:
    """What the pass makes of the part; on the last try without the pictures that the disk cannot read.

    Raises:
        OSError: the machine's fault, also where too many pictures cannot be read for it to be theirs.
    """
    try:
        work = _opened(pass_)
    except Exception as error:
        if is_fault_of_machine(error):
            raise
        raise _NotOpenedError(_why(error)) from error
    part = replace(pass_.part(index), skip_unreadable=last_try)
    content = work(part)
    unreadable = [one for one in content.rejections if one.reason == Reason.UNREADABLE]
    size = part.stop - part.start
    if last_try and len(unreadable) > max(1, size // _UNREADABLE_SHARE):
        example = f"{unreadable[0].sample_id}: {unreadable[0].detail}"
        raise OSError(errno.EIO, f"{len(unreadable)} of {size} pictures cannot be read, such as {example}")
    return content


def _why(error: Exception) -> str:
    """The message: of a user's mistake or a system error as it is, of an error in our code with its place."""
    return str(error) if isinstance(error, (ValueError, OSError)) else described(error)


@lru_cache(maxsize=4)
def _opened(pass_: Pass) -> Callable[[Part], PartContent]:
    cv2.setNumThreads(1)  # each core runs a part of its own already
    work = pass_.open()
    gc.freeze()  # modules and indexes stay: collections need not go through them again and again
    return work
