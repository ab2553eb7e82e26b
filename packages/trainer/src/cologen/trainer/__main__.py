"""``python -m cologen.trainer``: the command ``train``, as launchers of several processes start it."""

from __future__ import annotations

import sys

from cologen.trainer.cli import main

if __name__ == "__main__":
    sys.exit(main())
