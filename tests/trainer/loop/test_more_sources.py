"""Training on several sources is the model's forward with all of them, and a row without a source trains no expert."""

from pathlib import Path

import pytest
import torch

from cologen.model import flow
from cologen.model.bundle import Bundle, build
from cologen.model.layout import Layout
from cologen.model.presets import preset
from cologen.model.text import Prompts
from cologen.model.tokens import pack
from cologen.model.veteran import Usage
from cologen.trainer.data.batch import Batch
from cologen.trainer.data.draws import draw
from cologen.trainer.loop.encoding import Latents, encode
from cologen.trainer.loop.generating import generate
from cologen.trainer.loop.loss import losses, losses_at
from cologen.trainer.recipes.held_out import HeldOut
from tests.trainer.data.test_more_sources import editing
from tests.trainer.made_up import ALONE, batch
from tests.trainer.small_runs import adapter_bytes, train


def of_two(size: int = 2) -> Batch:
    one = batch("editing", size=size)
    assert one.source is not None
    first, second = one.source, one.source.flip(0) // 2
    return Batch(
        source=first, target=one.target, mask=one.mask, prompts=one.prompts, tasks=one.tasks, places=one.places,
        more_sources=(second,),
    )  # fmt: skip


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """In float64, with two experts whose residuals are not zero."""
    found = build(preset("world-tiny"))
    for seed in range(2):
        found.transformer.add_expert(seed)
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in found.transformer.named_parameters():
            if ".prw." in name:
                weight.copy_(torch.randn(weight.shape, generator=random) / 10)
    found.transformer.double()
    return found


def as_float64(latents: Latents) -> Latents:
    assert latents.source is not None
    more = tuple(each.double() for each in latents.more_sources)
    return Latents(latents.target.double(), latents.source.double(), None, more_sources=more)


def test_the_loss_is_the_forward_pass_of_all_sources_in_their_order(bundle: Bundle) -> None:
    of = of_two()
    latents, model = as_float64(encode(bundle, of)), bundle.transformer
    found = bundle.text.encode(of.prompts)
    words = Prompts(found.embeds.double(), found.pooled.double())
    layout, random = Layout.of(model, bundle.codec), torch.Generator().manual_seed(1)
    noise = torch.randn(latents.target.shape, generator=random)
    time = torch.tensor([0.3, 0.8])
    epsilon = torch.randn(4, model.num_blocks, 2, generator=random)
    found = losses_at(model, bundle, of.mask, latents, words, time, noise, epsilon)
    target, drawn = pack(latents.target.float(), layout.patch), pack(noise, layout.patch)
    grid = (latents.target.shape[2] // layout.patch, latents.target.shape[3] // layout.patch)
    noisy = flow.interpolate(target, drawn, time).double()
    sources = [layout.source_of(each, k + 1, grid, noisy) for k, each in enumerate(latents.sources)]
    assert [each.ids[0, 0].item() for each in sources] == [1.0, 2.0]

    def asked(order: list[int]) -> torch.Tensor:
        return model(
            hidden_states=noisy, encoder_hidden_states=words.embeds, pooled_projections=words.pooled,
            timestep=time.double(), img_ids=layout.grid_ids(*grid), txt_ids=layout.text_ids(words.embeds.shape[1]),
            source=[sources[k] for k in order], routing_noise=torch.cat([epsilon.chunk(2)[k] for k in order]),
        ).sample  # fmt: skip

    expected = (asked([0, 1]).float() - flow.velocity(target, drawn)).square().mean(dim=(1, 2))
    torch.testing.assert_close(found.per_sample, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(asked([1, 0]), asked([0, 1]), rtol=0, atol=1e-10)
    assert found.routing is not None
    usage = Usage.of(found.routing)
    assert usage.choices.tolist() == [2 * 2 * model.num_blocks], "each source of each sample is a choice in each block"


def test_a_second_source_draws_noise_of_its_own_and_changes_nothing_of_the_first() -> None:
    def epsilon(places: tuple[int, ...], num_sources: int) -> torch.Tensor:
        shapes = {"latent": (4, 2, 2), "routing": (3, 2)}
        return draw(0, "editing", places, **shapes, num_sources=num_sources, device=ALONE.device).routing

    one, two = (epsilon((5, 6), count) for count in (1, 2))
    assert two.shape == (4, 3, 2) and two[:2].equal(one)
    assert epsilon((6,), 2).equal(two[[1, 3]])


def test_a_row_without_a_source_trains_no_expert_and_no_router(bundle: Bundle) -> None:
    """With the base frozen its loss has no gradient at all; if the base trained, that of every expert would be none."""
    of, model = batch(source=False), bundle.transformer
    words = bundle.text.encode(of.prompts)
    latents = encode(bundle, of)
    draws = draw(0, "editing", of.places, latent=latents.drawn, routing=(0, 0), device=ALONE.device)
    model.float()
    try:
        model.requires_grad_(requires_grad=False)
        pool = {name: weight.requires_grad_() for name, weight in model.named_parameters() if ".prw." in name}
        frozen = losses(model, bundle, of, latents, words, draws).task
        assert not frozen.requires_grad
        model.requires_grad_(requires_grad=True)
        losses(model, bundle, of, latents, words, draws).task.backward()
        assert pool and all(weight.grad is None for weight in pool.values())
        assert all(weight.grad is not None for name, weight in model.named_parameters() if name not in pool)
    finally:
        model.zero_grad()
        model.double()


def test_grids_are_drawn_from_all_sources(bundle: Bundle) -> None:
    of, one = of_two(), batch("editing")
    bundle.transformer.float()
    try:
        both, first = (generate(bundle, each, num_steps=1, seed=0) for each in (of, one))
    finally:
        bundle.transformer.double()
    assert both.shape == first.shape and not torch.equal(both, first)


@pytest.mark.slow
def test_held_out_rows_are_validated_with_all_their_sources_and_change_nothing(several: Path, tmp_path: Path) -> None:
    settings = HeldOut(
        manifests={"editing": ("editing-triplets-val",)}, rows_per_task=2, every=6, times=(0.5,), num_samples=2,
        measures=(),
    )  # fmt: skip
    watched = train(tmp_path / "watched", several, editing().replace(held_out=settings))
    train(tmp_path / "alone", several, editing())
    assert adapter_bytes(tmp_path / "watched") == adapter_bytes(tmp_path / "alone")
    first, last = watched.validations
    assert first.losses.shape == (2, 1) and (first.losses > 0).all()
    one, two = (list(sample.pictures) for sample in last.samples)
    assert (one, two) == (["source", "target", "generated"], ["source", "source 2", "target", "generated"])


@pytest.mark.slow
def test_micro_batches_and_interruptions_change_nothing(several: Path, tmp_path: Path) -> None:
    whole = train(tmp_path / "whole", several, editing(2))
    train(tmp_path / "halves", several, editing(2), stop_after=3)
    train(tmp_path / "halves", several, editing(2))
    assert adapter_bytes(tmp_path / "whole") == adapter_bytes(tmp_path / "halves")
    single = train(tmp_path / "single", several, editing(1))
    for one, other in zip(whole.reports, single.reports, strict=True):
        assert abs(one.loss - other.loss) < 1e-6 * max(1.0, one.loss)
