"""Laws of word forms: plurals find their singulars, singulars stay, and a word may be several parts of speech."""

import pytest

from cologen.datagen.concepts.wordforms import WordForms


@pytest.fixture(scope="module")
def forms() -> WordForms:
    return WordForms()


@pytest.mark.parametrize(
    ("plural", "singular"),
    [
        ("dogs", "dog"),
        ("buses", "bus"),
        ("busses", "bus"),
        ("men", "man"),
        ("women", "woman"),
        ("people", "person"),
        ("children", "child"),
        ("feet", "foot"),
        ("knives", "knife"),
        ("leaves", "leaf"),
        ("ponies", "pony"),
        ("benches", "bench"),
        ("boxes", "box"),
        ("smartphones", "smartphone"),
    ],
)
def test_plurals_find_their_singular(forms: WordForms, plural: str, singular: str) -> None:
    assert forms(plural).singular == singular
    assert forms(plural).plural
    assert forms(singular).singular == singular
    assert not forms(singular).plural


@pytest.mark.parametrize("word", ["bus", "glass", "grass", "dress", "cactus", "tennis", "sheep", "canvas"])
def test_singulars_stay(forms: WordForms, word: str) -> None:
    assert forms(word).singular == word
    assert not forms(word).plural


@pytest.mark.parametrize("word", ["scissors", "pants", "jeans", "glasses", "clothes"])
def test_things_with_a_plural_name_keep_it(forms: WordForms, word: str) -> None:
    assert forms(word).singular == word
    assert forms(word).plural


def test_readings(forms: WordForms) -> None:
    assert forms("riding").verb == "ride"
    assert forms("rode").verb == "ride"
    white = forms("white")
    assert white.noun and white.adjective and not white.unknown
    assert not forms("kitchen").adjective
    assert forms("kitchen").verb is None
    assert forms("skateboardish").unknown
