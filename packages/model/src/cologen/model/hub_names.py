"""Names of repositories on the hub."""

from __future__ import annotations

import re


def is_hub_name(name: str) -> bool:
    """Whether this can be the name of a repository on the hub: owner/name."""
    return re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", name) is not None
