"""A class name as people say it: without underscores and remarks in brackets, in singular and plural, with an article.

Class names are LVIS's and COCO's: ``mouse_(computer_equipment)``, ``chest_of_drawers_(furniture)``, ``fire hydrant``.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_IRREGULAR = {
    "person": "people",
    "child": "children",
    "man": "men",
    "woman": "women",
    "foot": "feet",
    "tooth": "teeth",
    "goose": "geese",
    "mouse": "mice",
    "ox": "oxen",
    "knife": "knives",
    "wife": "wives",
    "leaf": "leaves",
    "loaf": "loaves",
    "shelf": "shelves",
    "bookshelf": "bookshelves",
    "scarf": "scarves",
    "wolf": "wolves",
    "calf": "calves",
    "elf": "elves",
    "half": "halves",
    "potato": "potatoes",
    "tomato": "tomatoes",
    "hero": "heroes",
    "snowman": "snowmen",
    "fireman": "firemen",
    "policeman": "policemen",
}
_UNCHANGED = _words("sheep deer fish moose bison shrimp squid salmon trout aircraft clownfish goldfish")
_IN_PAIRS = _words(
    """binoculars glasses goggles jeans leggings overalls pajamas pants pliers pyjamas scissors shears shorts spectacles
    stockings sunglasses suspenders sweatpants tights tongs trousers tweezers underdrawers"""
)
_UNCOUNTED = _words(
    """alcohol applesauce asparagus bacon bait batter beef beer blinds bread broccoli butter cauliflower cayenne celery
    cheese chinaware cider cilantro clothing corn cornbread cornmeal cream crockery dough eggs equipment floss foil food
    fruit furniture garlic ginger gravel grits guacamole ham hair honey hummus ice icecream jam jewelry juice ketchup
    lemonade lettuce liquor luggage mail mayonnaise milk money mustard oil paper pasta popcorn pottery produce
    rice salsa sauce seafood shampoo silverware soap soda soup spinach sportswear sprouts steel sugarcane syrup tea
    tinfoil toast tofu toothpaste underwear vinegar vodka water wine wool yogurt"""
)
_VOWEL_SPOKEN_AS_CONSONANT = ("eu", "one", "uku", "uni", "uri", "use", "ute")
_SILENT_H = ("heir", "honest", "hour")


def said(class_name: str) -> str:
    """``mouse_(computer_equipment)`` as "mouse"; blank where nothing is left."""
    return " ".join(class_name.partition("(")[0].replace("_", " ").split())


def singular(noun: str) -> str:
    """One of them, without an article: "dog", "pair of scissors", "instance of milk"."""
    last = _last_word(noun)
    if last in _IN_PAIRS:
        return f"pair of {noun}"
    return f"instance of {noun}" if last in _UNCOUNTED else noun


def plural(noun: str) -> str:
    """Several of them: "dogs", "pairs of scissors", "instances of milk", "chests of drawers"."""
    head, of, rest = singular(noun).partition(" of ")
    before, last = head[: len(head) - len(_last_word(head))], _last_word(head)
    return f"{before}{_plural_word(last)}{of}{rest}"


def with_article(words: str) -> str:
    """An indefinite article by the first sound: "an orange box", "a unicorn", "an hourglass"."""
    word = words.lower()
    vowel = word.startswith(_SILENT_H) or (word[:1] in "aeiou" and not word.startswith(_VOWEL_SPOKEN_AS_CONSONANT))
    return f"{'an' if vowel else 'a'} {words}"


def _last_word(noun: str) -> str:
    return noun.rpartition(" ")[2]


def _plural_word(word: str) -> str:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word in _UNCHANGED:
        return word
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return f"{word}es"
    if word.endswith("y") and word[-2:-1] not in tuple("aeiou"):
        return f"{word[:-1]}ies"
    return f"{word}s"
