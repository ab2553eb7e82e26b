from cologen.evaluation.judgement import GEDIT, GEDIT_PQ, GEDIT_SC, IMGEDIT, IMGEDIT_CRITERIA


def test_the_halves_of_gedit_are_its_whole_array() -> None:
    assert GEDIT.names[GEDIT_SC] == ("followed", "kept")
    assert GEDIT.names[GEDIT_PQ] == ("natural", "clean")
    assert (GEDIT.lowest, GEDIT.highest) == (0, 10)


def test_a_score_is_found_by_its_name() -> None:
    assert [IMGEDIT.place(name) for name in ("edit", "natural", "detail")] == [0, 1, 2]
    assert (IMGEDIT.lowest, IMGEDIT.highest) == (1, 5)


def test_every_edit_type_of_imgedit_has_one_criterion_for_each_score() -> None:
    assert len(IMGEDIT_CRITERIA) == 9
    assert all(len(set(criteria)) == len(IMGEDIT.names) for criteria in IMGEDIT_CRITERIA.values())
