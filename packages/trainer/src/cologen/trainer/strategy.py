"""How several processes share a model, and how long they wait for each other: the values of the command line."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

Strategy = Literal["ddp", "fsdp"]
"""Each process holds the whole model (ddp), or a share of it (fsdp)."""

PATIENCE = timedelta(hours=2)
"""How long processes wait for the first one, while it builds data or writes files, by default."""
