"""``train``: a recipe's stages one after the other, from manifests to adapters, or the forecast of that.

``uv run train`` on a fresh machine trains on the synthetic dataset. ``torchrun -m cologen.trainer …`` and ``accelerate
launch -m cologen.trainer …`` start the same in several processes.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from safetensors import SafetensorError

from cologen.datagen.interrupts import STOPPED, second_one_ends
from cologen.reports.printable import LogLines, console
from cologen.trainer.loop.stopping import INTERRUPTED_WORDS
from cologen.trainer.options import TrainOptions, parsed

_ERRORS = console(stderr=True)


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    0 done, or stopped as asked and saved; 1 failed, with one message that says what to do next; 130 interrupted by
    Ctrl-C before it was saved, or by a second Ctrl-C, at once; wrong usage leaves with 2.
    """
    options = parsed(args)
    from cologen.trainer.launch import CONSOLE  # here and not above: torch takes seconds, and --help needs none of it

    logging.basicConfig(level=logging.WARNING, handlers=[LogLines(CONSOLE)])
    try:
        with second_one_ends(INTERRUPTED_WORDS):
            return train(options)
    except (ValueError, OSError, RuntimeError, SafetensorError) as error:
        _ERRORS.print(f"Failed: {_out_of_memory(error) if _is_out_of_memory(error) else error}")
    except KeyboardInterrupt:
        _ERRORS.print(INTERRUPTED_WORDS)
        return STOPPED
    return 1


def train(options: TrainOptions) -> int:
    """Train, or print the forecast; return the exit code of a run that ended or was stopped without an error."""
    from cologen.trainer import launch

    return launch.train(options)


def _is_out_of_memory(error: Exception) -> bool:
    """Whether the error is torch's, of a GPU or of a CPU, about memory."""
    return type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error)


def _out_of_memory(error: Exception) -> str:
    lower = "lower micro_batch or resolution.side, set gradient_checkpointing=true, or offload_base=true (--set)"
    return f"the device is out of memory: {lower}; --resume goes on. {str(error).splitlines()[0]}"
