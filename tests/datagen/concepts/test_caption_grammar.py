"""Laws of the caption grammar: one sentence for each way in which neighbours settle what a word is."""

import pytest
import spacy

from cologen.datagen.concepts.caption_grammar import common_nouns
from cologen.datagen.concepts.wordforms import WordForms

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def forms() -> WordForms:
    return WordForms()


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("A man riding a horse past parked cars.", "man horse cars"),
        ("A dog rides a skateboard.", "dog skateboard"),
        ("People ride bikes down a street", "People bikes street"),
        ("He rides and she watches the boats", "boats"),
        ("A watch on a stand.", "watch stand"),
        ("A cat that looks out of the window", "cat window"),
        ("A child getting ready to blow out a candle", "child candle"),
        ("An orange cat and two oranges", "cat oranges"),
        ("A red and white train", "train"),
        ("A very tall giraffe", "giraffe"),
        ("A light blue shirt under a traffic light", "shirt traffic light"),
        ("A tall brick building next to a railing", "brick building railing"),
        ("A boy is painting a fence", "boy fence"),
        ("A painting of a fence", "painting fence"),
        ("A smiling woman in a dining room", "woman dining room"),
        ("Two women dining in a kitchen", "women kitchen"),
        ("A stop sign is lit by the moon", "stop sign moon"),
        ("A walk-in closet with a long-haired cat", "closet cat"),
        ("A poster of Scott Brown on a wall", "poster wall"),
        ("A Man On A Horse", "Man Horse"),
        ("TWO TOILETS ON A LAWN", "TOILETS LAWN"),
        ("the dog's bowl", "dog bowl"),
        ("3 dogs, 2 cats; a smartphone!", "dogs cats smartphone"),
        ("", ""),
    ],
)
def test_neighbours_settle_what_a_word_is(forms: WordForms, caption: str, expected: str) -> None:
    words = [token.text for token in spacy.blank("en").tokenizer(caption)]
    flags = common_nouns(words, forms)
    assert " ".join(word for word, flag in zip(words, flags, strict=True) if flag) == expected
