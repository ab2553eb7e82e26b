from cologen.evaluation.judgement import GEDIT
from cologen.evaluation.judges.asking import Answer
from cologen.evaluation.judges.parsing import read_scores
from cologen.evaluation.judges.prompts import INSTRUCTION, answer_form, digest, with_instruction


def test_an_answer_in_the_demanded_form_can_be_read() -> None:
    form = answer_form(("followed", "kept"), GEDIT).splitlines()[1]
    filled = form.replace("<whole number from 0 to 10>", "4")
    answer = Answer(text=filled, model="m", day="2026-11-29", ending="complete")
    assert read_scores(answer, ("followed", "kept"), lowest=0.0, highest=10.0) == [4, 4]


def test_an_instruction_is_put_in_as_it_is() -> None:
    assert with_instruction(f"<{INSTRUCTION}>", "把球{变红} %s \\1") == "<把球{变红} %s \\1>"


def test_any_word_changes_the_hash() -> None:
    assert digest(("a", "b")) != digest(("a", "c")) != digest(("ab",))
    # printf 'a\0b' | sha256sum
    assert digest(("a", "b")) == "59b271ae1bbc"
