"""Command lines: each composes modules of `packages/` into one job and holds no logic of its own.

Under ``python -m pipelines.NAME``, Ctrl-C ends the process with one line already while the command's imports take
seconds; ``console.run`` then installs its own handler. Other importers of this package are not affected.
"""

import signal
import sys

from cologen.datagen.interrupts import ending_with

# While python looks for the module of -m, which imports this package, "-m" stands in the place of its path.
if (
    sys.argv[:1] == ["-m"]
    and any(word.startswith("pipelines.") for word in sys.orig_argv)
    and signal.getsignal(signal.SIGINT) is signal.default_int_handler
):
    signal.signal(signal.SIGINT, ending_with("Interrupted before the command began."))
