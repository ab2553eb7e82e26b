"""A class name as a plain noun: no underscores, no remarks in brackets.

Class names are LVIS's, COCO's and ADE20K's: ``mouse_(computer_equipment)``, ``chest_of_drawers_(furniture)``, ``skis``.
"""

from __future__ import annotations

from cologen.datagen.noun_forms import plural, singular, with_article
from cologen.datagen.noun_tables import SAID_OTHERWISE

__all__ = ["definite", "plural", "said", "singular", "with_article"]


def said(class_name: str) -> str:
    """``mouse_(computer_equipment)`` as "mouse"; blank where nothing is left."""
    words = " ".join(class_name.partition("(")[0].replace("_", " ").split())
    return SAID_OTHERWISE.get(words, words)


def definite(noun: str) -> str:
    """The only one there is: "the dog", "the scissors", "the milk", and of ``people`` "the person"."""
    one = singular(noun)
    return f"the {noun if one.endswith(noun) else one}"
