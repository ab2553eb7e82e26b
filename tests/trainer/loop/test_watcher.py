"""Several watchers are told the same, in their order."""

from cologen.model.bundle import build
from cologen.model.presets import preset
from cologen.trainer.data.batch import LoadedStep
from cologen.trainer.loop.validation import Validation
from cologen.trainer.loop.watcher import Watcher, Watchers
from tests.trainer.made_up import loaded, report, short, validation


class Noting:
    def __init__(self, name: str, notes: list[tuple[object, ...]]) -> None:
        self.name, self.notes = name, notes

    def stage_begins(self, number: int, stage: object, first_step: int) -> None:
        self.notes.append((self.name, "begins", number, first_step))

    def step_done(self, number: int, loaded: LoadedStep, report: object, learning_rate: float) -> None:
        self.notes.append((self.name, "done", number, loaded.step))

    def validated(self, found: Validation) -> None:
        self.notes.append((self.name, "validated", found.stage, found.step))

    def stage_ends(self, number: int, bundle: object) -> None:
        self.notes.append((self.name, "ends", number))


def test_all_are_told_in_turn():
    notes: list[tuple[object, ...]] = []
    watchers = Watchers([Noting("a", notes), Noting("b", notes)])
    assert isinstance(watchers, Watcher)
    watchers.stage_begins(1, short().stages[1], 3)
    watchers.step_done(1, loaded(3), report(1.0), 0.1)
    watchers.validated(validation(1, 4))
    watchers.stage_ends(1, build(preset("world-tiny")))
    told = [("begins", 1, 3), ("done", 1, 3), ("validated", 1, 4), ("ends", 1)]
    assert notes == [(name, *each) for each in told for name in "ab"]
