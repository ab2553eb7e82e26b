"""One picture's exception is its rejection with type and place; the machine's goes up; a batch loses one picture."""

import errno
from pathlib import Path

import pytest
import torch

from cologen.datagen.faults import attempt, attempt_each, described, is_fault_of_machine
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.records import Reason, RejectedError


def _raise(error: Exception) -> None:
    raise error


def test_a_rejection_stays_what_it_is_and_a_result_is_handed_on():
    rejected = RejectedError(Reason.TOO_SMALL, "1x1")
    assert attempt(lambda: _raise(rejected)) is rejected
    assert attempt(lambda: 7) == 7


@pytest.mark.parametrize("kind", [ZeroDivisionError, MemoryError, RecursionError, KeyError, StopIteration])
def test_what_nobody_foresaw_is_an_internal_error_with_type_and_place(kind: type[Exception]):
    found = attempt(lambda: _raise(kind("seven")))
    assert isinstance(found, RejectedError) and found.reason == "internal_error"
    assert found.detail.startswith(f"{kind.__name__} at cologen/datagen/faults.py:") and "seven" in found.detail


def test_the_place_is_the_innermost_line_of_ours_and_addresses_in_memory_are_left_out(tmp_path: Path):
    found = attempt(lambda: Folder.open(tmp_path).read("absent"))
    assert isinstance(found, RejectedError) and " at cologen/datagen/manifest/folder.py:" in found.detail
    assert described(ValueError(f"bad\n {object()}")) == "ValueError: bad <object object at 0x…>"


def test_a_rejection_that_quotes_an_exception_says_the_same_at_every_run():
    things = [object(), object()]  # both alive, so not in one place
    details = {RejectedError(Reason.NOT_AN_IMAGE, f"cannot identify {thing!r}: 0x1f").detail for thing in things}
    assert details == {"cannot identify <object object at 0x…>: 0x1f"}


def test_stopping_is_no_fault():
    for kind in (KeyboardInterrupt, SystemExit):
        with pytest.raises(kind):
            attempt(lambda kind=kind: _raise(kind()))


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EMFILE, errno.ENOMEM, errno.ESTALE])
def test_the_system_s_own_errors_go_up(number: int):
    with pytest.raises(OSError, match="x") as raised:
        attempt(lambda: _raise(OSError(number, "x")))
    assert raised.value.errno == number
    if number != errno.EIO:
        with pytest.raises(OSError, match="x"):
            attempt(lambda: _raise(OSError(number, "x")), skip_unreadable=True)


def test_an_unreadable_sector_is_passed_when_told_to():
    found = attempt(lambda: _raise(OSError(errno.EIO, "Input/output error", "a.jpg")), skip_unreadable=True)
    assert isinstance(found, RejectedError) and found.reason == "unreadable" and "a.jpg" in found.detail


def test_the_accelerator_s_errors_are_the_machine_s():
    for error in (torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("CUDA error: an illegal memory access")):
        assert is_fault_of_machine(error)
        with pytest.raises(RuntimeError):
            attempt(lambda error=error: _raise(error))
    assert not is_fault_of_machine(RuntimeError("shapes do not fit"))


def test_a_batch_that_fails_loses_the_guilty_alone():
    calls = list[list[int]]()

    def halved(numbers: list[int]) -> list[float]:
        calls.append([*numbers])
        return [10 / number for number in numbers]

    assert attempt_each(halved, [1, 2]) == [10, 5] and calls == [[1, 2]]
    first, guilty, last = attempt_each(halved, [1, 0, 5])
    assert (first, last) == (10, 2)
    assert isinstance(guilty, RejectedError) and guilty.detail.startswith("ZeroDivisionError")
    with pytest.raises(torch.OutOfMemoryError):
        attempt_each(lambda _: _raise(torch.OutOfMemoryError("CUDA out of memory")), [1, 2])  # type: ignore[arg-type,return-value]
