"""English nouns in singular and plural, with an article: of the classes of datasets and of what a user may call one.

A noun is counted (dogs), comes in pairs (scissors), has a word for one of it (a flight of stairs), or is not counted at
all (an instance of milk). A name that is a plural already (``clouds``) has a singular.
"""

from __future__ import annotations

import re

from cologen.datagen.noun_tables import (
    BY_THE_PIECE,
    COUNTED_GLASSES,
    IN_PAIRS,
    IRREGULAR,
    NOT_MEN,
    SINGULAR_IN_S,
    SINGULARS_IN_E,
    UNCHANGED,
    UNCHANGED_ENDINGS,
    UNCOUNTED,
    UNCOUNTED_NAMES,
    WITHOUT_COMPOUNDS,
)

_SINGULAR = {many: one for one, many in IRREGULAR.items()}
_AFTER_THE_HEAD = re.compile(r" (?:of|with|without|in|on|for|at|from|to|by) | (?=\()|(?=-(?:by|in-law)$)")
_SHORTEST_PREFIX = 3
_ONE_IN_ES = re.compile(r"(?:ch|sh|ss|x|zz|o)es$")

_CONSONANT_AT_FIRST = re.compile(r"eu|ewe|one(?![a-z])|once|u[bfkrst][aeiou]|uni(?![dmn])|uv|u[-.]")
_VOWEL_AT_FIRST = re.compile(r"[aeiou]|heir|honest|hono|hour|herb|x-|xbox|8|1[18](?![0-9])")
_SPELT_OUT = re.compile(r"(?:[B-Z]{2,3}|[B-DF-HJ-NP-TV-XZ]{4,5}|[B-RT-Z][B-DF-HJ-NP-TV-Z]A)(?![A-Za-z])|[B-Z]-")
_LETTERS_SAID_WITH_A_VOWEL = "EFHILMNORSX"


def is_counted(noun: str) -> bool:
    """Whether singular and plural differ without a word such as "piece"; pairs can."""
    head = _parted(noun)[0].lower()
    last = _last_word(head)[1]
    return not (head in UNCOUNTED_NAMES or last in UNCOUNTED or last in BY_THE_PIECE)


def singular(noun: str) -> str:
    """One of them, without an article: "dog", "pair of scissors", "instance of milk", "piece of clothing"."""
    head, rest = _parted(noun)
    before, last = _last_word(head)
    word = last.lower()
    if word in BY_THE_PIECE:
        unit, thing = BY_THE_PIECE[word]
        return f"{unit} of {before}{thing}{rest}"
    if not is_counted(noun):
        return f"instance of {noun}"
    if word in IN_PAIRS and not (word == "glasses" and before.strip().lower() in COUNTED_GLASSES):
        return f"pair of {noun}"
    return f"{before}{_singular_word(last)}{rest}"


def plural(noun: str) -> str:
    """Several of them: "dogs", "pairs of scissors", "instances of milk", "chests of drawers"."""
    head, rest = _parted(singular(noun))
    before, last = _last_word(head)
    return f"{before}{_plural_word(last)}{rest}"


def with_article(words: str) -> str:
    """An indefinite article by the first sound: "an orange box", "a unicorn", "an hourglass", "an SUV"."""
    if _SPELT_OUT.match(words):
        vowel = words[0] in _LETTERS_SAID_WITH_A_VOWEL
    else:
        first = words.lower()
        vowel = bool(_VOWEL_AT_FIRST.match(first)) and not _CONSONANT_AT_FIRST.match(first)
    return f"{'an' if vowel else 'a'} {words}"


def _parted(noun: str) -> tuple[str, str]:
    """What is counted, and what follows it: "chest" and " of drawers", "bow" and " (weapon)"."""
    noun = noun.partition(",")[0]  # the first of several names: "person, individual"
    found = _AFTER_THE_HEAD.search(noun)
    return (noun[: found.start()], noun[found.start() :]) if found else (noun, "")


def _last_word(head: str) -> tuple[str, str]:
    before, space, last = head.rpartition(" ")
    return before + space, last


def _singular_word(word: str) -> str:
    """Of a word in either number."""
    lower = word.lower()
    irregular = next((many for many in _SINGULAR if _is_compound(lower, many)), None)
    if irregular is not None:
        return word[: len(word) - len(irregular)] + _SINGULAR[irregular]
    if not lower.endswith("s") or lower.endswith(("ss", "us", "is")) or len(lower) < _SHORTEST_PREFIX:
        return word
    if lower in SINGULAR_IN_S or lower in UNCHANGED:
        return word
    if lower.endswith("ses") and lower[:-2] in SINGULAR_IN_S | {"bus"}:
        return word[:-2]
    if lower[:-1] in SINGULARS_IN_E:
        return word[:-1]
    if lower.endswith("ies"):
        return f"{word[:-3]}y"
    return word[:-2] if _ONE_IN_ES.search(lower) else word[:-1]


def _plural_word(word: str) -> str:
    """Of a word in singular."""
    lower = word.lower()
    irregular = next((one for one in IRREGULAR if _is_compound(lower, one)), None)
    if irregular is not None:
        return word[: len(word) - len(irregular)] + IRREGULAR[irregular]
    if lower in UNCHANGED or lower.endswith(UNCHANGED_ENDINGS):
        return word
    if lower.endswith(("s", "x", "z", "ch", "sh")):
        return f"{word}es"
    if lower.endswith("y") and lower[-2:-1] not in tuple("aeiou"):
        return f"{word[:-1]}ies"
    return f"{word}s"


def _is_compound(word: str, ending: str) -> bool:
    """Whether ``word`` is ``ending`` or made of it, as a bookshelf of a shelf."""
    if word == ending:
        return True
    if not word.endswith(ending) or word in NOT_MEN or ending in WITHOUT_COMPOUNDS:
        return False
    return len(word) - len(ending) >= _SHORTEST_PREFIX or word.endswith("woman") or word.endswith("women")
