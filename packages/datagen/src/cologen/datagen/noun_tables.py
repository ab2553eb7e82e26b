"""The English nouns that do not form their plural by rule, or have none."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


IRREGULAR: Mapping[str, str] = MappingProxyType(
    {
        "person": "people", "child": "children", "man": "men", "foot": "feet", "tooth": "teeth", "goose": "geese",
        "mouse": "mice", "ox": "oxen", "die": "dice", "knife": "knives", "wife": "wives", "leaf": "leaves",
        "loaf": "loaves", "shelf": "shelves", "scarf": "scarves", "wolf": "wolves", "calf": "calves", "elf": "elves",
        "half": "halves", "thief": "thieves", "hoof": "hooves", "potato": "potatoes", "tomato": "tomatoes",
        "hero": "heroes", "echo": "echoes", "buffalo": "buffaloes", "cactus": "cacti", "quiz": "quizzes",
        "axis": "axes", "crisis": "crises", "candelabrum": "candelabra",
        "bacterium": "bacteria", "passerby": "passersby",
    }
)  # fmt: skip
"""Plurals by singular. They hold at the end of other words too: a pocketknife, a bookshelf, a fireman."""
WITHOUT_COMPOUNDS = frozenset(
    word
    for one in ("ox", "elf", "half", "die", "echo", "axis", "hero", "goose", "calf", "foot")
    for word in (one, IRREGULAR[one])
)
"""But of these only alone: a box, a shelf, a mongoose."""
NOT_MEN = _words(
    """human ottoman talisman german roman norman shaman caiman specimen ramen regimen stamen omen abdomen
    cyclamen"""
)
"""Words that end in "man" or "men" by chance."""

UNCHANGED = _words(
    """sheep deer moose bison shrimp squid salmon trout aircraft spacecraft cattle police series species tuna elk
    crossroads headquarters"""
)
UNCHANGED_ENDINGS = ("fish", "deer")

IN_PAIRS = _words(
    """binoculars boxers briefs chaps clippers glasses goggles headphones jeans knickers leggings overalls
    pajamas panties pants pantyhose pincers pliers pyjamas scissors secateurs shears shorts skis slacks
    spectacles stockings sunglasses suspenders sweatpants tights tongs trousers tweezers underdrawers
    underpants eyeglasses dungarees"""
)
"""One of them is a pair."""
COUNTED_GLASSES = _words("wine shot beer flute drinking champagne cocktail martini water juice")
"""Glasses to drink from are no pair."""

BY_THE_PIECE: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "clothes": ("piece", "clothing"), "clothing": ("piece", "clothing"), "apparel": ("piece", "clothing"),
        "furniture": ("piece", "furniture"), "jewelry": ("piece", "jewelry"), "luggage": ("piece", "luggage"),
        "equipment": ("piece", "equipment"), "pottery": ("piece", "pottery"), "fruit": ("piece", "fruit"),
        "paper": ("sheet", "paper"), "toast": ("slice", "toast"), "bread": ("piece", "bread"),
        "cardboard": ("piece", "cardboard"), "gum": ("piece", "gum"), "stairs": ("flight", "stairs"),
 "bamboo": ("piece", "bamboo"), "armor": ("piece", "armor"),
    }
)  # fmt: skip
"""What one of an uncounted noun is called, and of what: "piece of furniture"."""
UNCOUNTED = _words(
    """alcohol applesauce asparagus bacon bait balm batter beef beer broccoli butter caviar cauliflower cayenne
    celery champagne cheese chinaware chocolate cider cilantro cloth cocoa coleslaw concrete confetti corn
    cornbread cornmeal crabmeat crape cream crockery curd custard cutlery detergent dirt dough earth flannel
    fleece floss foam fog foil food fudge garbage gargle garlic gelatin ginger glue graffiti grass gravel
    grits guacamole ham hair honey hummus ice icecream incense ink jam juice ketchup leather lemonade
    lettuce liquor litter lotion machinery mail makeup mayonnaise meat medicine metal milk money moss mousse
    mud mustard oil oregano paint parchment pasta pavement petfood plastic popcorn porridge produce rice
    rubbish rubble salsa salt sand sauce seafood seaweed shampoo sherbert silverware smoke snow soap soda
    soup spaghetti spinach sportswear spray steam steel stew sugar sugarcane sunscreen sushi syrup tape
    tartan tea tequila textile tinfoil tinsel tissue tofu toothpaste trash underwear vinegar vodka wasabi
    water whiskey wine wire wood wool wrap yarn yogurt"""
)
"""By the last word of the name."""
UNCOUNTED_NAMES = frozenset({"pop", "scrambled eggs", "mashed potato", "mashed potatoes", "thread", "land"})

SINGULAR_IN_S = _words(
    """atlas bus yes canvas chaos christmas cosmos gallows gas hippopotamus kudos lens mars news pancreas
    rhinoceros series species texas thermos trellis brass"""
)
"""These are no plurals; nor is what ends in "ss", "us" or "is"."""
SINGULARS_IN_E = _words(
    """shoe horseshoe snowshoe toe canoe hoe oboe ache headache cookie pie magpie potpie tie necktie bowtie movie zombie
    smoothie brownie hoodie selfie beanie genie rookie budgie collie calorie birdie axe pickaxe die"""
)
"""Of the plurals in "oes", "ches", "xes" and "ies", those that only add an s."""

SAID_OTHERWISE: Mapping[str, str] = MappingProxyType({"jean": "jeans", "legging": "leggings", "chap": "chaps"})
"""Names of LVIS that are not used in the singular."""
