"""Compile the read pass without a break in its graph, whole and block by block, and compare: run as a program.

A program of its own, since the tests' type checks at run time are nothing a compiler could see through. The graph is
what is tried, not the code made of it, which would take a minute.
"""

from __future__ import annotations

import sys

import torch

from cologen.model.transformer import CoLoGenTransformer2DModel
from tests.model.tiny import inputs, tiny


def deviation(way: str, model: CoLoGenTransformer2DModel) -> float:
    """The largest difference between the compiled and the plain pass, with a cache and another one after it."""
    given, other = inputs(dtype=torch.float32), inputs(dtype=torch.float32, seed=1)
    caches = [model.encode_source(each.sources, pooled_projections=each.pooled) for each in (given, other)]
    expected = [model(**given.stock(), source=cache).sample for cache in caches]
    if way == "blocks":
        model.compile_repeated_blocks(fullgraph=True, backend="aot_eager")
        compiled = model
    else:
        compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    found = [compiled(**given.stock(), source=cache).sample for cache in caches]
    return max(float((one - two).abs().max()) for one, two in zip(found, expected, strict=True))


def main() -> int:
    """Exit with 0 if both ways agree with the plain model."""
    with torch.no_grad():
        small = {"num_layers": 1, "num_single_layers": 1, "dtype": torch.float32}
        found = {way: deviation(way, tiny(2, **small)) for way in ("whole", "blocks")}
    sys.stdout.write(f"{found}\n")
    return int(max(found.values()) > 1e-5)


if __name__ == "__main__":
    sys.exit(main())
