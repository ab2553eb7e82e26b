"""Classifies exceptions: a picture's fault (the picture is rejected) or the machine's (the part is tried again).

One picture must not end a build: an exception while it is read, decoded, marked or compared becomes a counted
rejection, ``internal_error`` if it was not foreseen. A failing disk, too many open files or a GPU without memory would
affect every other picture too, so these errors are raised unchanged, and the part is tried again.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TypeVar

from cologen.datagen.images.addresses import is_fault_of_file
from cologen.datagen.records import Reason, RejectedError, without_addresses

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_PACKAGE = "cologen."
_MAX_MESSAGE = 300  # characters
_UNREADABLE = frozenset({errno.EIO, errno.EBADMSG, errno.ENODATA, errno.EREMOTEIO, errno.EUCLEAN})


def attempt(function: Callable[[], _Result], *, skip_unreadable: bool = False) -> _Result | RejectedError:
    """What the function returns, or the rejection of the one picture that it works on.

    ``skip_unreadable``: a picture that the disk cannot read (EIO) is rejected instead of stopping the part.

    Raises:
        Exception: the machine's fault, see ``is_fault_of_machine``.
    """
    try:
        return function()
    except RejectedError as error:
        return error
    except Exception as error:  # the only place that catches all: see above
        if skip_unreadable and isinstance(error, OSError) and error.errno in _UNREADABLE:
            return RejectedError(Reason.UNREADABLE, _said(error))
        if is_fault_of_machine(error):
            raise
        return RejectedError(Reason.INTERNAL_ERROR, described(error))


def attempt_each(
    function: Callable[[Sequence[_Item]], Sequence[_Result]], items: Sequence[_Item]
) -> list[_Result | RejectedError]:
    """The function's result for each item; where it fails for all together, of each one alone.

    For networks that take a batch: only the picture that makes it fail is lost.

    Raises:
        Exception: as ``attempt``.
    """
    found = attempt(lambda: function(items))
    if not isinstance(found, RejectedError):
        return list(found)
    if len(items) == 1:
        return [found]
    return [attempt_each(function, [item])[0] for item in items]


def is_fault_of_machine(error: Exception) -> bool:
    """Whether other pictures would raise this error too, here and now: an error of the system or of the accelerator."""
    if isinstance(error, OSError):
        return not is_fault_of_file(error)
    return is_fault_of_accelerator(error)


def is_fault_of_accelerator(error: Exception) -> bool:
    """Whether CUDA is out of memory or has failed; after the latter its process can use it no more."""
    names = {f"{each.__module__}.{each.__name__}" for each in type(error).__mro__}
    if names & {"torch.OutOfMemoryError", "torch.AcceleratorError"}:
        return True
    return isinstance(error, RuntimeError) and str(error).startswith(
        ("CUDA error", "CUDA out of memory", "cuDNN error")
    )


def described(error: BaseException) -> str:
    """An exception on one line: its type, where in our code it came from (file:line), and its message."""
    place = _place(error.__traceback__)
    return f"{type(error).__name__}{f' at {place}' if place else ''}: {_said(error)}"


def _place(traceback: TracebackType | None) -> str:
    """The innermost frame of this project."""
    place = ""
    while traceback is not None:
        module = str(traceback.tb_frame.f_globals.get("__name__", ""))
        if module.startswith(_PACKAGE):
            place = f"{module.replace('.', '/')}.py:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return place


def _said(error: BaseException) -> str:
    """The message on one line, the same at every run, so that a part stays the same bytes."""
    words = " ".join(str(error).split())
    return without_addresses(words)[:_MAX_MESSAGE] or "no message"
