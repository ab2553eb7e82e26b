"""The forecast of a run, made without a GPU: memory, time, disk, what is missing, and what would make it fit."""
