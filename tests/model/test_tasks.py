"""Five tasks, known by their names and by those that people type."""

import pytest

from cologen.model.tasks import TASKS, task_named


def test_there_are_the_papers_five_in_its_order():
    assert list(TASKS) == ["inpaint", "grounding", "control", "customized", "editing"]
    assert [name for name, task in TASKS.items() if task.masked] == ["inpaint"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("edit", "editing"), ("editing", "editing"), ("customize", "customized"), ("inpainting", "inpaint")],
)
def test_tasks_are_known_by_their_verbs_too(typed: str, meant: str):
    assert task_named(typed) is TASKS[meant]


def test_an_unknown_task_is_told_the_known_ones():
    with pytest.raises(ValueError, match="'paint': expected one of inpaint, grounding, control, customized, editing"):
        task_named("paint")
