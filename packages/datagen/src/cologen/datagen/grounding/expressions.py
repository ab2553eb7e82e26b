"""Turns an annotator's words into a noun phrase that fits into a sentence: "left man" becomes "the left man".

RefCOCO's words were typed in a game against time. Most are noun phrases without an article; some are only what tells
the object apart ("blue", "second from left"), a place ("on the left"), a pronoun or a whole clause ("can't see face").
The parts of speech are told by lists of the closed classes of words; what fits none of the forms is quoted.
"""

from __future__ import annotations

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_COMPLETE = _words(
    """someone somebody something anyone anybody anything everyone everybody everything whoever whatever"""
)
"""Those that need no noun."""
DETERMINERS = _COMPLETE | _words(
    """the a an this that these those his her its their my your our all any both each every some two three four
    five six seven eight nine ten another"""
)
_BEFORE_ONE = _words("the that this a an any each every another")
"""Those after which qualities alone want "one"; "my left" and "two red" are no phrases either way."""
_POINTING = _words("the a an this that these those")
_PRONOUNS = _words(
    """i you u he she it we they him them me us ya y'all himself herself itself themselves mine yours hers
    ours theirs"""
)
_RELATIVES = _words("who that which whose whom where what that's who's which's thats whos when whoever whatever")
_PREPOSITIONS = _words(
    """on in at to of under over above below behind beside besides between near nearby by with without w w/
    from inside outside out against around across along among amongst amid through toward towards off up down into onto
    upon within beneath underneath opposite past via per like as than for about after before during until
    since close away"""
)
_AUXILIARIES = _words(
    """is are was were am be has have had does do did could would should will shall isn't aren't wasn't weren't
    hasn't haven't doesn't don't didn't can't cannot couldn't wouldn't won't ain't isnt arent wasnt doesnt
    dont didnt cant wont aint it's its'"""
)
_FINITE_VERBS = _words("see wears holds looks stands sits eats faces leans carries seems appears sees gets goes comes")
_RUN_TOGETHER = _words("whats wheres theres heres hes shes im ive youre youve theyre theyve lets")
"""Contractions typed without their apostrophe."""
_NOT_A_START = (
    _AUXILIARIES
    | _RUN_TOGETHER
    | _FINITE_VERBS
    | _PRONOUNS
    | (_RELATIVES - DETERMINERS)
    | _words(
        """there here where's what's there's here's he's she's i'm i'd i've i'll you're you've you'll we're
        they're let let's and or but if because while so then also again maybe probably perhaps just not no
        none nothing never nope yes yeah yep ok okay oh hi hey hello please sorry thanks thank why how wait
        um uh lol click see seen look find pick choose select show get got guess want think try touch tap
        point mark draw wearing holding eating carrying using watching touching facing looking having
        talking hitting throwing doing being going showing cutting driving catching kicking pushing pulling
        feeding petting reading drinking taking making upside bent turned nobody none"""
    )
)
# Of an object, these say which one it is; alone or before a preposition they lack the noun.
_QUALITIES = _words(
    """left right middle center centre top bottom front back far near upper lower rear leftmost rightmost
    topmost bottommost uppermost lowermost mid very most more least last first second third fourth fifth
    sixth seventh eighth red blue green yellow purple pink brown black white gray grey beige tan dark bright
    colorful striped blonde blond big bigger small smaller large larger tall taller short shorter tiny
    little huge old older young younger long longer close closer further farther nearer other whole full
    empty open closed half same different blurry blurred low high single lone alone visible hidden cropped cut
    darker lighter wooden parked"""
)
_DEGREES = _words("pretty quite so too")
_NOUNS_IN_LY = _words("family fly butterfly dragonfly belly jelly lily ally bully assembly")
_NEAR = _words("near nearer nearest close closer closest")
_SIDEWAYS = _words("left right up down lower higher back forward further closer")
_JOINING = _words("and n & or")
_QUALITY_ENDINGS = ("est", "most")
_NOUNS_IN_EST = _words("vest nest chest guest forest test rest west pest crest quest breast priest harvest")
_NOUNS_IN_ING = _words(
    """thing king ring wing string spring swing sling ceiling railing building painting icing clothing frosting
    stuffing topping awning earring opening crossing landing lighting covering drawing dressing pudding
    duckling sibling being something anything everything bedding parking evening morning wedding dining
    sewing viking piping tubing shaving filling coating saying lining flooring siding"""
)
_ORDINAL = re.compile(r"[0-9]+(st|nd|rd|th)")
_SUBJECT_CUES = _words("see you u i we only not be barely hardly even have get")
_WORD = re.compile(r"[a-z0-9][\w'./&-]*")


def as_noun_phrase(words: str) -> str:
    """``words``, which are not blank, as a noun phrase.

    "left man" becomes "the left man", "blue on right" "the blue one on right", and "a man with a hat" stays as it is.
    A place gets its noun, "the one on the left". What is no noun phrase is quoted: 'what is meant by "facing us"'.
    """
    first, _, rest = words.partition(" ")
    if first.lower() in ("only", "just") and rest.partition(" ")[0].lower() in _POINTING:
        return as_noun_phrase(rest)
    plain = words.replace("\u2019", "'")
    said = [word.strip(",.;:!?()\"'") for word in plain.lower().split()]
    if _WORD.fullmatch(said[0]) and _is_place(said) and not _is_clause(said):
        return f"the one {words}"
    if not _WORD.fullmatch(said[0]) or _starts_otherwise(said) or _is_clause(said):
        inner = words.replace('"', "'")
        return f'what is meant by "{inner}"'
    if said[0] in _BEFORE_ONE and _num_qualities(said[1:]) == len(said) - 1:
        return f"{words} one"
    if said[0] in DETERMINERS or said[0].isdigit() or (said[0] == "half" and said[1:2] in (["a"], ["the"], ["of"])):
        return words
    num_qualities = _num_qualities(said)
    if said == ["alone"]:
        return "the one alone"
    if num_qualities == len(said):
        return f"the {words} one"
    if num_qualities and said[num_qualities] in _PREPOSITIONS and said[num_qualities] != "of":
        first, rest = words.split()[:num_qualities], words.split()[num_qualities:]
        return f"the {' '.join(first)} one {' '.join(rest)}"
    return f"the {words}"


def _is_place(said: list[str]) -> bool:
    """Whether the words say where it is, and the noun is all they lack: "near us", "back there", "a little left"."""
    first, rest = said[0], said[1:]
    if not rest:
        return False
    if first == "a" and rest[0] in ("little", "bit"):
        return len(rest) > 1 and set(rest[1:]) <= _SIDEWAYS
    if first in _PREPOSITIONS and first not in _QUALITIES and rest[0] in _POINTING:
        return len(rest) > 1
    if first in _NEAR and rest[0] in _PRONOUNS:
        return True
    return rest in (["there"], ["here"]) and first in _QUALITIES


def _starts_otherwise(said: list[str]) -> bool:
    """Whether the first words are not those of a noun phrase."""
    first, second = said[0], said[1] if len(said) > 1 else ""
    if first in DETERMINERS:
        alone = first not in _COMPLETE and (
            not second or (first not in _BEFORE_ONE and _num_qualities(said[1:]) == len(said) - 1)
        )
        return alone or (first not in _COMPLETE and first != "all" and (_breaks_off(second) or second == "there"))
    if first in _NOT_A_START or (first in _PREPOSITIONS and first not in _QUALITIES):
        return True
    if first == "can":
        return second in _SUBJECT_CUES
    if first.isdigit():
        return _breaks_off(second)
    if first == "next":
        return second in ("to", "by")
    if first in ("left", "right", "close", "near", "back", "front"):
        # "left of the dog" and "close to the dog" are places.
        return second in ("of", "to", "the", "a", "by") and not (first in ("back", "front") and second == "of")
    # "standing man" is a noun phrase, "standing" and "leaning on the wall" are not.
    acts = first.endswith("ing") and first not in _NOUNS_IN_ING and len(first) > 4
    return (acts and _breaks_off(second)) or (first.endswith("'s") and not second)


def _breaks_off(word: str) -> bool:
    """Whether no noun phrase goes on with ``word``; "" is the end."""
    return not word or word in _PREPOSITIONS - _QUALITIES or word in _PRONOUNS or word in _AUXILIARIES


def _is_clause(said: list[str]) -> bool:
    """Whether a verb follows that belongs to no "who is …" and no "you can see"."""
    for place, word in enumerate(said):
        if word in _PRONOUNS or (word in _RELATIVES and (place or word in _COMPLETE)):
            return False
        if place and (word in _AUXILIARIES or word in _FINITE_VERBS):
            return True
    return False


def _num_qualities(said: list[str]) -> int:
    """How many words at the start only qualify: three of "red and white with hat"."""
    number = 0
    while number < len(said) and (_is_quality(said[number]) or _is_degree(said[number : number + 2])):
        if said[number] == "half" and number:  # "left half" has its noun
            break
        number += 1
        following, after = (*said[number:], "", "")[:2]
        if (following in _JOINING and _is_quality(after)) or _belongs(said[number - 1], following, after):
            number += 1
    return number


def _belongs(quality: str, following: str, after: str) -> bool:
    """Whether a quality has a second word: "cut off", and "far away" before a noun or the end."""
    return (quality, following) == ("cut", "off") or (
        (quality, following) == ("far", "away") and after not in _PREPOSITIONS
    )


def _is_degree(said: list[str]) -> bool:
    """Whether the first word says how much of the quality after it: "really big", "partially hidden"."""
    word, following = (*said, "")[:2]
    return _is_quality(following) and (word in _DEGREES or (word.endswith("ly") and word not in _NOUNS_IN_LY))


def _is_quality(word: str) -> bool:
    if "/" in word:
        return all(map(_is_quality, word.split("/")))
    ends = word.endswith(_QUALITY_ENDINGS) and word not in _NOUNS_IN_EST
    return word in _QUALITIES or ends or _ORDINAL.fullmatch(word) is not None
