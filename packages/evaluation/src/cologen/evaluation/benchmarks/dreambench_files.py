"""DreamBooth's dataset as it is published: ``dataset/<subject>/NN.jpg`` and ``prompts_and_classes.txt``.

The file of prompts is a piece of prose and Python::

    subject_name,class
    backpack,backpack

    Object Prompts
    prompt_list = [
    'a {0} {1} in the jungle'.format(unique_token, class_token),
    ]

    Live Subject Prompts
    …
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from cologen.datagen.datasets.files import text_files

LIVE_CLASSES = frozenset({"cat", "dog"})
"""Classes whose subjects live: 9 of the 30."""

PICTURES: Mapping[str, str] = MappingProxyType(
    {
        "backpack": "02", "backpack_dog": "02", "bear_plushie": "03", "berry_bowl": "02", "can": "01", "candle": "02",
        "cat": "04", "cat2": "02", "clock": "03", "colorful_sneaker": "01", "dog": "02", "dog2": "02", "dog3": "05",
        "dog5": "00", "dog6": "02", "dog7": "01", "dog8": "04", "duck_toy": "01", "fancy_boot": "02",
        "grey_sloth_plushie": "04", "monster_toy": "04", "pink_sunglasses": "04", "poop_emoji": "00", "rc_car": "03",
        "red_cartoon": "00", "robot_toy": "00", "shiny_sneaker": "01", "teapot": "04", "vase": "02",
        "wolf_plushie": "04",
    }
)  # fmt: skip
"""Of each subject the one picture that the model is shown (the list of Kosmos-G and UNO)."""

_TEMPLATE = re.compile(r"\s*(['\"])(.*\{0\} \{1\}.*)\1\s*\.format\(")
_CLASS = re.compile(r"([A-Za-z0-9_]+)\s*,\s*([^,'\"\[\]()]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompts:
    """The class of each subject, and the prompts of either kind with ``{}`` where the class goes."""

    classes: Mapping[str, str]
    objects: tuple[str, ...]
    live: tuple[str, ...]

    def of(self, subject: str) -> tuple[str, ...]:
        """A subject's plain prompts, without a word for its identity: "a backpack in the jungle"."""
        templates = self.live if self.is_live(subject) else self.objects
        return tuple(template.replace("{}", self.classes[subject]) for template in templates)

    def is_live(self, subject: str) -> bool:
        """Whether it is an animal."""
        return self.classes[subject] in LIVE_CLASSES


def read_prompts(path: Path) -> Prompts:
    """The prompts and classes of the published file.

    Raises:
        ValueError: it has no class, or no prompt of one kind.
    """
    classes: dict[str, str] = {}
    templates: dict[str, list[str]] = {"object": [], "live": []}
    kind = None
    for line in text_files.read(path).splitlines():
        if line.strip().lower().endswith("prompts") and "=" not in line:
            kind = "live" if "live" in line.lower() else "object"
        elif (found := _TEMPLATE.match(line)) and kind:
            templates[kind].append(" ".join(found[2].replace("{0} {1}", "{}").split()))
        elif kind is None and (named := _CLASS.fullmatch(line.strip())) and named[1] != "subject_name":
            classes[named[1]] = named[2].strip()
    if missing := [name for name, found in {"classes": classes, **templates}.items() if not found]:
        raise ValueError(f"{path}: expected classes, object prompts and live subject prompts, found no {missing[0]}")
    return Prompts(classes=classes, objects=tuple(templates["object"]), live=tuple(templates["live"]))
