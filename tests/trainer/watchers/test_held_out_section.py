"""The report's part about held-out rows shows what can be compared, and says what it leaves out."""

from pathlib import Path

from cologen.trainer.watchers.held_out_grids import HeldOutGrids
from cologen.trainer.watchers.held_out_metrics import held_out_metrics
from cologen.trainer.watchers.held_out_section import comparable, held_out_curves, held_out_section
from cologen.trainer.watchers.metrics import HeldOutMetrics
from tests.trainer.made_up import ALONE, held_out_sample, short, validation


def records(*steps: int, **changes: object) -> list[HeldOutMetrics]:
    return [
        held_out_metrics(validation(0, step, [[step, 1.0], [1.0, 1.0], [0.5, 0.7]], **changes), "inpaint")
        for step in steps
    ]


def test_without_a_validation_there_is_nothing(tmp_path: Path):
    assert held_out_curves([], ("inpaint",), 10) == {}
    assert held_out_section(tmp_path, short(), 0, []) == ""


def test_a_dot_stands_for_each_validation_and_each_task_before_has_a_curve():
    found = held_out_curves(records(0, 2, 4), ("inpaint",), 10)
    assert list(found) == ["Held-out loss, moving average", "Held-out loss of grounding, learned before"]
    assert [svg.count("<circle") for svg in found.values()] == [3, 3]
    (title,) = held_out_curves(records(0, 2), ("inpaint", "grounding"), 10)
    assert title == "Held-out loss, moving average"
    titles = list(held_out_curves(records(0, 2, own_tasks=()), (), 10))
    assert titles == ["Held-out loss of inpaint, learned before", "Held-out loss of grounding, learned before"]


def test_the_table_has_a_line_for_each_task_with_its_loss_at_each_time_and_its_measures(tmp_path: Path):
    of = records(2, 4)
    drawn = held_out_metrics(
        validation(0, 10, [[8.0, 1.0], [1.0, 1.0], [0.5, 0.7]], samples=(held_out_sample(0, l1=0.125),)), "inpaint"
    )
    page = held_out_section(tmp_path, short(), 0, [*of, drawn])
    assert "<th>held-out task<th>rows<th>step 2<th>step 10<th>t = 0.25<th>t = 0.75<th>l1" in page
    assert "<td>inpaint<td>2<td>1.25<td>2.75<td>4.5<td>1<td>0.125" in page
    assert "<td>grounding<td>1<td>0.6<td>0.6<td>0.5<td>0.7<td>–" in page
    assert "earlier validations" not in page
    assert "<b>l1</b>: The mean absolute difference of output and target, in [0, 1]; 0 is best." in page


def test_what_is_of_other_rows_is_left_out_and_counted(tmp_path: Path):
    found = [*records(2, 4, protocol="other"), *records(6)]
    assert comparable(found) == found[2:]
    page = held_out_section(tmp_path, short(), 0, found)
    assert "2 earlier validations were of other rows or times" in page
    assert "step 2" not in page


def test_the_newest_grid_is_shown(tmp_path: Path):
    grids = HeldOutGrids(tmp_path, short(), ALONE)
    for step in (4, 6):
        grids.validated(validation(0, step, samples=(held_out_sample(step),)))
    page = held_out_section(tmp_path, short(), 0, records(4, 6, 8))
    assert page.count("<img") == 1
    assert "after step 6." in page
