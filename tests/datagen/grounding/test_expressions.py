"""What people typed of an object reads well in a sentence, or is quoted."""

import pytest

from cologen.datagen.grounding.expressions import as_noun_phrase
from cologen.datagen.grounding.phrasing import cleaned, instruction, phrase_for
from cologen.datagen.randomness import generator

AS_IT_IS = """the man|a man with a hat|his hand|those two|both dogs|this one|someone sitting|anyone in red
the one on left|a person you can see|the man who is sitting|the woman that has a hat|the one who's sitting
whatever is on the plate|two dogs|2 zebras on left
half a sandwich|all the dogs|a bunch of bananas|the near car|the orange|another one"""

WITH_THE = """left man|one on left|man on the left|3rd guy from left|front zebra|back of truck|bottom left corner
left side|blue shirt|black and white dog|orange|man's hat|left guy's arm|lady in red|woman w glasses|can of soda
can on left|trash can|standing man|skiing woman|man standing in back|parking meter on left|building on right
painting on wall|cow you can see whole|guy that's standing|kid thats sitting|sheep whose head is down|next bus
last guy from left|partially hidden man|only one with hat|umbrella held by girl|reflection|man, left|bus that says 52
number 52|whole pizza|taller one|ones on the left|skis on right
far away boat|left half|family left|pretty girl|cut pizza|only two with hats
pair of skis|right hand|bride"""

WITH_ONE = {
    "left": "the left one",
    "far right": "the far right one",
    "bottom left": "the bottom left one",
    "blue": "the blue one",
    "dark blue": "the dark blue one",
    "red and white": "the red and white one",
    "tallest": "the tallest one",
    "the left": "the left one",
    "any red": "any red one",
    "closest to camera": "the closest one to camera",
    "second from left": "the second one from left",
    "2nd from right": "the 2nd one from right",
    "blue on right": "the blue one on right",
    "right with hat": "the right one with hat",
    "furthest away": "the furthest one away",
    "1st": "the 1st one",
    "far away": "the far away one",
    "near us": "the one near us",
    "nearest us": "the one nearest us",
    "amongst the trees": "the one amongst the trees",
    "on the left": "the one on the left",
    "in the middle": "the one in the middle",
    "between the two men": "the one between the two men",
    "back there": "the one back there",
    "a little left": "the one a little left",
    "really big": "the really big one",
    "pretty big": "the pretty big one",
    "low left": "the low left one",
    "slightly left": "the slightly left one",
    "blue/white": "the blue/white one",
    "black n white": "the black n white one",
    "partially hidden": "the partially hidden one",
    "barely visible": "the barely visible one",
    "cropped": "the cropped one",
    "cut off": "the cut off one",
    "cut off on right": "the cut off one on right",
    "alone": "the one alone",
    "single": "the single one",
    "lone": "the lone one",
    "visible": "the visible one",
    "only the dog": "the dog",
    "just the dog": "the dog",
}

QUOTED = """in front|behind guy|next to the man|near the car|left of the dog|right of tree
whats in the bowl|hers|on the left is a man|away from us|out of focus|with hat|w hat|off to the left
there|here|over there|the there|you|me|him|her|his|it|this|both|the|a|nobody|yes
can't see face|cant see face|can see face|can you see him|looking at camera|holding bat|wearing red|facing us|sitting
standing|standing on the right|lying down|bent over|talking on phone|has hat|is blue|not the dog|no hat|see legs
don't click this|click on the man|the man is sitting|a man wearing a white shirt is riding a skateboard|he is smiling
girl holds umbrella|i think it's the left one|what is he holding|who is wearing red|which one is taller|it's the cow
cow it's brown|there's a man|she's got a hat|that's the one|the kid isn't smiling|only see hand|#3|12|3 from left
woman's|犬|don’t click|my left|your far right|two red"""


def each(text: str) -> list[str]:
    return text.replace("\n", "|").split("|")


@pytest.mark.parametrize("words", each(AS_IT_IS))
def test_noun_phrases_stay_as_they_are(words: str) -> None:
    assert as_noun_phrase(words) == words


@pytest.mark.parametrize("words", each(WITH_THE))
def test_noun_phrases_without_an_article_get_one(words: str) -> None:
    assert as_noun_phrase(words) == f"the {words}"


@pytest.mark.parametrize("words", WITH_ONE)
def test_what_only_tells_objects_apart_gets_a_noun(words: str) -> None:
    assert as_noun_phrase(words) == WITH_ONE[words]


@pytest.mark.parametrize("words", each(QUOTED))
def test_what_is_no_noun_phrase_is_quoted(words: str) -> None:
    assert as_noun_phrase(words) == f'what is meant by "{words}"'


def test_quotes_stay_in_pairs() -> None:
    assert as_noun_phrase(cleaned('man "in red"')) == "the man in red"
    assert as_noun_phrase('on "left" side') == "what is meant by \"on 'left' side\""
    for words in each(QUOTED):
        sentence = instruction("box", phrase_for("expression", words, 1, generator(0)), "red", generator(1))
        assert sentence.count('"') == 2
