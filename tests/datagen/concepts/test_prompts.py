"""Laws of prompts: every noun in some prompt, its span exactly its tokens, no prompt longer than the network reads."""

import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from cologen.datagen.concepts.prompts import Prompt, write_prompts


@pytest.fixture(scope="module")
def tokenizer(dino_files) -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(dino_files.text_encoder)


def test_example_of_the_docstring(tokenizer: PreTrainedTokenizerBase) -> None:
    expected = Prompt(text="cat . traffic light .", nouns=("cat", "traffic light"), spans=((1, 2), (3, 5)))
    assert write_prompts(["cat", "traffic light"], tokenizer) == (expected,)


def test_no_nouns_no_prompts(tokenizer: PreTrainedTokenizerBase) -> None:
    assert write_prompts([], tokenizer) == ()
    assert write_prompts(["", " . "], tokenizer) == ()


@pytest.mark.parametrize("max_tokens", [6, 9, 256])
def test_spans_are_the_tokens_of_their_nouns(tokenizer: PreTrainedTokenizerBase, max_tokens: int) -> None:
    nouns = ["cat", "traffic lights", "Teddy Bear", "cats", "unheard-of", "dog"]
    found = write_prompts(nouns, tokenizer, max_tokens)
    assert [noun for prompt in found for noun in prompt.nouns if noun != "unheard-of"] == [
        noun for noun in nouns if noun != "unheard-of"
    ]
    for prompt in found:
        tokens = tokenizer.convert_ids_to_tokens(tokenizer(prompt.text)["input_ids"])
        assert len(tokens) <= max_tokens
        for noun, (start, end) in zip(prompt.nouns, prompt.spans, strict=True):
            assert tokens[start:end] == tokenizer.tokenize(noun)
            assert tokens[end] == "."


def test_prompts_are_full_before_another_begins(tokenizer: PreTrainedTokenizerBase) -> None:
    nouns = [" ".join(["cat"] * length) for length in range(1, 40)]
    found = write_prompts(nouns, tokenizer)
    lengths = [len(tokenizer(prompt.text)["input_ids"]) for prompt in found]
    assert max(lengths) <= 256
    for before, after in zip(lengths, found[1:], strict=False):
        assert before + len(tokenizer.tokenize(after.nouns[0])) + 1 > 256


def test_full_stops_inside_a_noun_do_not_part_it(tokenizer: PreTrainedTokenizerBase) -> None:
    (prompt,) = write_prompts(["cat. dog?", "a"], tokenizer)
    assert prompt.text == "cat dog . a ."
    assert prompt.nouns == ("cat. dog?", "a")


def test_a_noun_asked_twice_stands_once(tokenizer: PreTrainedTokenizerBase) -> None:
    (prompt,) = write_prompts(["cat", "dog", "cat"], tokenizer)
    assert prompt.nouns == ("cat", "dog")


def test_a_noun_too_long_for_any_prompt_is_left_out(tokenizer: PreTrainedTokenizerBase) -> None:
    (prompt,) = write_prompts(["cat", "dog " * 255, "dog " * 254, "bear"], tokenizer)
    assert prompt.nouns == ("cat", "bear")
