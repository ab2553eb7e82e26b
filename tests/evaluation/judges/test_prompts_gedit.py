from cologen.evaluation.judges.prompts_gedit import PQ, SC, sc_prompt


def test_each_question_names_its_own_scores_alone() -> None:
    assert all(f'"{name}": <whole number from 0 to 10>' in SC for name in ("followed", "kept"))
    assert all(f'"{name}": <whole number from 0 to 10>' in PQ for name in ("natural", "clean"))
    assert '"natural"' not in SC and '"followed"' not in PQ


def test_the_instruction_is_in_the_first_question_alone() -> None:
    assert "<instruction>\n把球变红\n</instruction>" in sc_prompt("把球变红")
    assert "instruction>" not in PQ
