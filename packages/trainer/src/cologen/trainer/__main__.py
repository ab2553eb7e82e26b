"""The command ``train``, also as ``python -m cologen.trainer``; what it imports, it imports when it runs."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line and return its exit code; Ctrl-C is one line from the first moment on."""
    try:
        from cologen.trainer import cli

        return cli.main()
    except KeyboardInterrupt:
        print("Interrupted before training.", file=sys.stderr)  # noqa: T201, the console is not imported yet
        return 130


if __name__ == "__main__":
    sys.exit(main())
