"""LVIS's category names as words: "bell_pepper" becomes "bell pepper", and names that differ in brackets stay apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from cologen.datagen.datasets.files import fields

_BRACKET = "_("


def nouns(categories: Sequence[fields.Record]) -> dict[str, str]:
    """A noun for each category's id, no two alike: "all the bows" must not mean weapons and ribbons.

    A name is cut at its brackets ("car_(automobile)" is a "car"). Where another category would be called the same, the
    first synonym that is no other's serves instead ("mouse_(computer_equipment)" is a "computer mouse"), and where
    there is none, the brackets stay: "bow (weapon)".
    """
    names = Counter(_plain(category["name"]) for category in categories)
    forms = Counter(form for category in categories for form in set(_forms(category)))
    return {str(category["id"]): _noun(category, names, forms) for category in categories}


def _noun(category: fields.Record, names: Counter[str], forms: Counter[str]) -> str:
    own = _plain(category["name"])
    if names[own] == 1:
        return own
    return next((form for form in _forms(category) if forms[form] == 1), _words(category["name"]))


def _forms(category: fields.Record) -> Iterator[str]:
    yield _plain(category["name"])
    synonyms = category.get("synonyms")
    for synonym in synonyms if isinstance(synonyms, list) else ():
        if isinstance(synonym, str):
            yield _plain(synonym)


def _plain(name: str) -> str:
    return _words(name.partition(_BRACKET)[0])


def _words(name: str) -> str:
    return fields.words(name.replace("_", " "))
