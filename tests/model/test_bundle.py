"""A bundle is the same from the same seed or files, and stock FLUX when read from FLUX's folder."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import FluxPipeline
from safetensors.torch import load_file, save_file

from cologen.model.bundle import Bundle, build, load
from cologen.model.flow import interpolate, logit_normal, velocity
from cologen.model.presets import Preset, preset
from cologen.model.text import Prompts
from cologen.model.tokens import grid_ids, pack, text_ids, unpack
from tests.model.tiny_flux import TRANSFORMER, write_flux

SMALL_FLUX = replace(preset("flux-dev"), name="small-flux", transformer={**TRANSFORMER, "rank": 4}, text_tokens=64)


@pytest.fixture(scope="module")
def tiny() -> Bundle:
    return build(preset("world-tiny"), seed=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_flux(tmp_path_factory.mktemp("flux"))


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def predict(bundle: Bundle, noisy: torch.Tensor, time: torch.Tensor, prompts: Prompts) -> torch.Tensor:
    side = bundle.preset.side // bundle.codec.downscale // bundle.preset.patch
    return bundle.transformer(
        hidden_states=noisy,
        encoder_hidden_states=prompts.embeds,
        pooled_projections=prompts.pooled,
        timestep=time,
        img_ids=grid_ids(side, side),
        txt_ids=text_ids(prompts.embeds.shape[1]),
    ).sample


def test_a_picture_goes_to_tokens_through_the_model_and_back(tiny: Bundle):
    images = drawn(2, 3, 32, 32).clamp(-1, 1)
    latents = tiny.codec.encode(images)
    tokens = pack(latents, tiny.preset.patch)
    velocity = predict(tiny, tokens, torch.tensor([0.2, 0.9]), tiny.text.encode(["a red ball", ""]))
    assert velocity.shape == tokens.shape == (2, 64, 48)
    assert velocity.isfinite().all()
    assert (tiny.codec.decode(unpack(tokens, 8, 8, 1)) - images).abs().max() < 2e-6


def test_a_fresh_model_hears_its_prompt(tiny: Bundle):
    noisy, time = drawn(2, 64, 48)[:1].expand(2, 64, 48), torch.tensor([0.5, 0.5])
    one, other = predict(tiny, noisy, time, tiny.text.encode(["a red ball", "two blue boxes"]))
    assert (one - other).abs().max() > 1e-4


def test_the_same_seed_gives_the_same_weights_whatever_was_drawn_before(tiny: Bundle):
    before = torch.random.get_rng_state()
    again, another = build(preset("world-tiny"), seed=3), build(preset("world-tiny"), seed=4)
    assert torch.equal(torch.random.get_rng_state(), before)
    weights, same, other = (each.transformer.state_dict() for each in (tiny, again, another))
    assert all(torch.equal(weights[name], same[name]) for name in weights)
    assert not torch.equal(weights["x_embedder.weight"], other["x_embedder.weight"])


def test_world_tiny_learns_one_batch_in_seconds():
    bundle = build(preset("world-tiny"))
    clean, noise, time = drawn(8, 64, 48, seed=1), drawn(8, 64, 48, seed=2), logit_normal(drawn(8, seed=3))
    prompts = bundle.text.encode([f"picture {i}" for i in range(8)])
    optimizer = torch.optim.AdamW(bundle.transformer.parameters(), lr=2e-3)
    losses: list[float] = []
    for _ in range(12):
        predicted = predict(bundle, interpolate(clean, noise, time), time, prompts)
        loss = (predicted - velocity(clean, noise)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_base_weights_round_trip(tiny: Bundle, tmp_path: Path):
    save_file(tiny.transformer.state_dict(), tmp_path / "base.safetensors")
    read = build(preset("world-tiny"), weights=tmp_path / "base.safetensors").transformer.state_dict()
    assert all(torch.equal(weight, read[name]) for name, weight in tiny.transformer.state_dict().items())


def test_weights_of_another_model_are_refused_by_name(tiny: Bundle, tmp_path: Path):
    weights = dict(tiny.transformer.state_dict())
    del weights["x_embedder.bias"]
    weights["x_embedder.weight"] = weights["x_embedder.weight"][:, :4].contiguous()
    save_file(weights, tmp_path / "base.safetensors")
    with pytest.raises(
        ValueError, match=r"x_embedder.bias is missing; x_embedder.weight is \(128, 4\), expected \(128, 48\)"
    ):
        build(preset("world-tiny"), weights=tmp_path / "base.safetensors")
    with pytest.raises(FileNotFoundError, match="no weights at"):
        build(preset("world-tiny"), weights=tmp_path / "none.safetensors")


def test_precision_is_that_of_the_model_and_the_codec_stays_exact():
    bundle = build(preset("world-tiny"), dtype=torch.bfloat16)
    assert bundle.transformer.dtype == bundle.text.encode(["red"]).embeds.dtype == torch.bfloat16
    assert bundle.codec.encode(drawn(1, 3, 32, 32)).dtype == torch.float32


def test_a_flux_folder_is_read_as_flux(folder: Path):
    bundle = load(SMALL_FLUX, folder, dtype=torch.float32)
    stock = FluxPipeline.from_pretrained(folder)
    weights = load_file(folder / "transformer" / "diffusion_pytorch_model.safetensors")
    read = bundle.transformer.state_dict()
    assert all(torch.equal(weight, read[name]) for name, weight in weights.items())
    with torch.no_grad():
        embeds, pooled, _ = stock.encode_prompt(["a red cat"], max_sequence_length=64)
    prompts = bundle.text.encode(["a red cat"])
    assert torch.equal(prompts.embeds, embeds)
    assert torch.equal(prompts.pooled, pooled)
    images = drawn(1, 3, 32, 32)
    assert (bundle.codec.decode(bundle.codec.encode(images)) - stock.vae(images).sample).abs().max() < 1e-5
    bundle.transformer.add_expert(0)
    assert bundle.transformer.transformer_blocks[0].attn.prw.experts[0].down.shape == (2, 4, 32)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"in_channels": 384}, "in_channels is 64, expected 384"),
        ({"guidance_embeds": False}, "guidance_embeds is True, expected False"),
        ({"axes_dims_rope": (8, 4, 4)}, r"axes_dims_rope is \(4, 6, 6\), expected \(8, 4, 4\)"),
    ],
)
def test_a_folder_of_another_shape_is_refused_before_it_is_read(folder: Path, changed: dict[str, object], message: str):
    asked = replace(SMALL_FLUX, transformer={**SMALL_FLUX.transformer, **changed})
    with pytest.raises(ValueError, match=f"is not small-flux: {message}"):
        load(asked, folder)


@pytest.mark.parametrize("part", ["transformer", "vae", "text_encoder", "text_encoder_2"])
@pytest.mark.parametrize("damage", ["cut", "incomplete"])
def test_a_damaged_folder_is_named_and_nothing_is_made_up_for_it(folder: Path, tmp_path: Path, part: str, damage: str):
    copied = Path(shutil.copytree(folder, tmp_path / "flux"))
    weights = next((copied / part).glob("*.safetensors"))
    if damage == "cut":
        weights.write_bytes(weights.read_bytes()[:-100])
    else:
        kept = load_file(weights)
        kept.pop(next(name for name in sorted(kept) if name.endswith("weight")))
        save_file(kept, weights, {"format": "pt"})
    with pytest.raises((ValueError, OSError), match=str(copied)):
        load(SMALL_FLUX, copied)


def test_what_a_folder_lacks_is_named(folder: Path, tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r"has no transformer/config.json: not a whole folder of a base"):
        load(SMALL_FLUX, tmp_path)
    (tmp_path / "transformer").symlink_to(folder / "transformer")
    with pytest.raises(FileNotFoundError, match="has no vae"):
        load(SMALL_FLUX, tmp_path)


@pytest.mark.parametrize("name", ["flux-dev", "flux-fill", "flux-schnell"])
def test_flux_is_not_drawn_from_a_seed(name: str):
    with pytest.raises(ValueError, match=f"{name} is not drawn from a seed"):
        build(preset(name))


def test_the_world_is_not_in_a_flux_folder(folder: Path):
    world: Preset = preset("world-tiny")
    with pytest.raises(ValueError, match="world-tiny is not kept in a folder"):
        load(world, folder)
