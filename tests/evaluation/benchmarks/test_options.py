import pytest

from cologen.evaluation.benchmarks.options import Options, choice, refuse_others


def test_options_that_do_not_apply_are_one_message() -> None:
    refuse_others(Options(limit=3), "b", frozenset({"limit"}))
    with pytest.raises(ValueError, match="b has no option clip and no option language: it has limit, turns"):
        refuse_others(Options(clip="x", language="en", turns="all"), "b", frozenset({"turns", "limit"}))
    with pytest.raises(ValueError, match="drop_identical_captions: it has none"):
        refuse_others(Options(drop_identical_captions=False), "b", frozenset())


def test_numbers_are_in_their_ranges() -> None:
    with pytest.raises(ValueError, match="limit is at least 1, got 0"):
        Options(limit=0)
    with pytest.raises(ValueError, match="size is at least 32, got 8"):
        Options(size=8)
    with pytest.raises(ValueError, match="seed is at least 0, got -1"):
        Options(edits_seed=-1)


def test_the_first_choice_is_the_default() -> None:
    assert choice("b", "turns", None, ("single", "multi")) == "single"
    assert choice("b", "turns", "multi", ("single", "multi")) == "multi"
    with pytest.raises(ValueError, match="b has no turns 'first': expected 'single' or 'multi'"):
        choice("b", "turns", "first", ("single", "multi"))
