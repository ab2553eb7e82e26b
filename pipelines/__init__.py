"""Command lines: each composes rooms of `packages/` into one job and holds no logic of its own."""
