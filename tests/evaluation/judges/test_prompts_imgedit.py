import pytest

from cologen.evaluation.judgement import IMGEDIT_CRITERIA
from cologen.evaluation.judges.prompts_imgedit import PROMPTS, imgedit_prompt


@pytest.mark.parametrize("kind", IMGEDIT_CRITERIA)
def test_every_edit_type_has_a_question_with_its_criteria(kind: str) -> None:
    prompt = imgedit_prompt(kind, "add a {red} ball")
    assert "<instruction>\nadd a {red} ball\n</instruction>" in prompt
    assert all(f"({criterion}): " in prompt for criterion in IMGEDIT_CRITERIA[kind])
    assert all(f'"{name}": <whole number from 1 to 5>' in prompt for name in ("edit", "natural", "detail"))
    assert "{{" not in prompt


def test_no_two_edit_types_share_a_question() -> None:
    assert len(set(PROMPTS.values())) == 9
