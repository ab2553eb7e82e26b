import torch

from cologen.trainer.data.draws import Randomness, draw, with_captions_dropped
from tests.trainer.made_up import batch

SHAPES = {"latent": (2, 3, 4), "routing": (5, 2)}
CPU = torch.device("cpu")


def drawn(*places: int, seed: int = 0, stage: str = "inpaint") -> Randomness:
    return draw(seed, stage, places, **SHAPES, device=CPU)


def test_a_samples_draws_are_its_own_in_any_micro_batch() -> None:
    together, alone = drawn(7, 8, 9), drawn(8)
    for name in ("noise", "time", "routing"):
        assert torch.equal(getattr(together, name)[1:2], getattr(alone, name))


def test_seed_stage_and_place_all_matter() -> None:
    for other in (drawn(8, seed=1), drawn(8, stage="grounding"), drawn(9)):
        assert not torch.equal(other.noise, drawn(8).noise)
        assert not torch.equal(other.time, drawn(8).time)


def test_they_are_standard_normal() -> None:
    many = draw(0, "inpaint", range(200), latent=(4, 8, 8), routing=(3, 2), device=CPU)
    for numbers in (many.noise, many.time, many.routing):
        assert abs(numbers.mean()) < 0.2
        assert 0.8 < numbers.std() < 1.2


def test_a_samples_time_is_the_same_however_many_experts_there_are() -> None:
    fewer, more = (draw(0, "inpaint", [3], latent=(2, 3, 4), routing=shape, device=CPU) for shape in ((5, 1), (5, 4)))
    assert torch.equal(fewer.time, more.time)


def test_a_share_of_captions_is_dropped_by_seed_stage_and_place() -> None:
    of = batch(size=2000, side=1)
    found = with_captions_dropped(of.prompts, of.places, 0, "inpaint", 0.1)
    dropped = [not prompt for prompt in found]
    assert 160 < sum(dropped) < 240
    assert all(now in ("", before) for now, before in zip(found, of.prompts, strict=True))
    part = with_captions_dropped(of.prompts[500:900], of.places[500:900], 0, "inpaint", 0.1)
    assert part == found[500:900]
    more = with_captions_dropped(of.prompts, of.places, 0, "inpaint", 0.5)
    assert all(not other for other, drop in zip(more, dropped, strict=True) if drop)
    for seed, stage in ((1, "inpaint"), (0, "editing")):
        assert with_captions_dropped(of.prompts, of.places, seed, stage, 0.1) != found


def test_none_or_all_captions_can_be_dropped() -> None:
    of = batch(size=50, side=1)
    assert with_captions_dropped(of.prompts, of.places, 0, "inpaint", 0.0) == of.prompts
    assert with_captions_dropped(of.prompts, of.places, 0, "inpaint", 1.0) == ("",) * 50
