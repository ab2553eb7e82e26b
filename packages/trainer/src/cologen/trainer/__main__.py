"""The command ``train``, also ``python -m cologen.trainer``; imports are deferred to the run."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line and return its exit code; Ctrl-C prints one line, also during imports."""
    try:
        from cologen.trainer import cli

        return cli.main()
    except KeyboardInterrupt:
        print("Interrupted before training.", file=sys.stderr)  # noqa: T201, the console is not imported yet
        return 130


if __name__ == "__main__":
    sys.exit(main())
