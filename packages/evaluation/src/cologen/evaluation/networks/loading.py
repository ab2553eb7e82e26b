"""The networks that a benchmark's metrics need, by the names of their needs, from paths or names on the hub."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

import torch

from cologen.datagen.control.policy import HUB
from cologen.datagen.weights import device_named
from cologen.evaluation.network import PictureNetwork
from cologen.evaluation.networks.checkpoints import file_of, folder_of

DEFAULTS: Mapping[str, str] = MappingProxyType(
    {
        "clip": "openai/clip-vit-base-patch32",
        "dino": "facebook/dino-vits16",
        "inception": "models/inception-2015-12-05.pt",
        "depth": "Intel/dpt-large",
        "segmenter": "facebook/mask2former-swin-large-ade-semantic",
        "hed": HUB,
        "lineart": HUB,
    }
)
"""Where each network is from if nothing else is said; a benchmark's protocol may name others (CLIP ViT-L/14)."""


def load_networks(
    names: Iterable[str],
    sources: Mapping[str, str],
    device: str = "auto",
    *,
    download: bool = False,
    truncate_texts: bool = False,
) -> dict[str, PictureNetwork]:
    """The networks of those names, ready to read.

    Args:
        names: names of ``Need.network``; "judge" is none of them.
        sources: a path or a name on the hub, by network; ``DEFAULTS`` for the others.
        device: where they run, ``auto`` for a GPU where there is one.
        download: fetch from the hub what is not on this machine.
        truncate_texts: let CLIP cut texts over 77 tokens, if the protocol says so.

    Raises:
        FileNotFoundError: one is not on this machine; the message names the option.
        ValueError: an unknown name, or a damaged checkpoint.
    """
    place = device_named(device)
    return {
        name: _loaded(name, _source(name, sources), place, download=download, truncate=truncate_texts)
        for name in sorted(set(names))
    }


def missing_networks(names: Iterable[str], sources: Mapping[str, str]) -> dict[str, str]:
    """Which of the networks are not on this machine, and what to do about each; nothing is loaded or downloaded."""
    missing: dict[str, str] = {}
    for name in sorted(set(names)):
        try:
            _located(name, _source(name, sources), download=False)
        except FileNotFoundError as error:
            missing[name] = str(error)
    return missing


def files_of_networks(names: Iterable[str], sources: Mapping[str, str]) -> dict[str, list[str]]:
    """Path, size and time of each network's files: what tells cheaply that weights were replaced.

    Raises:
        FileNotFoundError: a network is not on this machine.
    """
    found: dict[str, list[str]] = {}
    for name in sorted(set(names)):
        path = _located(name, _source(name, sources), download=False)
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        states = [(each, each.stat()) for each in files if each.is_file()]
        found[name] = [f"{each} {state.st_size} {state.st_mtime_ns}" for each, state in states]
    return found


def _source(name: str, sources: Mapping[str, str]) -> str:
    if name not in DEFAULTS:
        raise ValueError(f"no network is called {name!r}: there are {', '.join(DEFAULTS)}")
    return sources.get(name, DEFAULTS[name])


def _located(name: str, source: str, *, download: bool) -> Path:
    """Its folder or file.

    Raises:
        FileNotFoundError: it is not there; says which option helps.
    """
    from cologen.evaluation.networks import control, inception

    try:
        if name == "inception":
            return inception.inception_path(source, fetch=download)
        if name in control.FILES:
            control.require_annotators()
            return file_of(source, control.FILES[name], download=download)
        if name == "segmenter" and Path(source).is_file():
            return Path(source)
        return folder_of(source, download=download)
    except OSError as error:
        fetch = "" if download else ", or --download to fetch it"
        raise FileNotFoundError(
            f"the network {name!r} is not there: {error}. Give --network {name}=PATH{fetch}"
        ) from error


def _loaded(name: str, source: str, device: torch.device, *, download: bool, truncate: bool) -> PictureNetwork:
    from cologen.evaluation.networks import clip, control, depth, dino, inception, segmenter

    path = _located(name, source, download=download)
    match name:
        case "clip":
            return clip.load_clip(source, path, device, truncate=truncate)
        case "dino":
            return dino.load_dino(source, path, device)
        case "inception":
            return inception.load_inception(source, path, device)
        case "depth":
            return depth.load_depth(source, path, device)
        case "segmenter":
            return segmenter.load_segmenter(source, path, device)
        case "hed" | "lineart":
            return control.load_control(name, source, path, device)
        case _:
            raise AssertionError(name)
