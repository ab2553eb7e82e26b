import torch

from cologen.trainer.draws import Draws, draw

SHAPES = {"latent": (2, 3, 4), "routing": (5, 2)}
CPU = torch.device("cpu")


def drawn(*places: int, seed: int = 0, stage: str = "inpaint") -> Draws:
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
