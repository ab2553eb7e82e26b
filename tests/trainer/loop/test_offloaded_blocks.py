"""Offloaded blocks compute what they compute otherwise, and their weights are there only meanwhile."""

import torch

from cologen.model.source import SourceTokens
from cologen.model.tokens import grid_ids, text_ids
from cologen.trainer.loop.bases import open_base
from cologen.trainer.recipes.world import world
from tests.trainer.made_up import ALONE


def stepped(*, offloaded: bool) -> tuple[list[torch.Tensor], list[int]]:
    """The gradients of a training step, and the sizes of the blocks' frozen weights after it."""
    recipe = world().replace(gradient_checkpointing=True, precision="fp32", offload_base=offloaded)
    model = open_base(recipe, None, ALONE.device)[0].transformer
    model.add_expert(0)
    trained = model.freeze_for(0)
    model.train().enable_gradient_checkpointing()
    draw = torch.Generator().manual_seed(0)
    found = model(
        hidden_states=torch.randn(2, 16, 48, generator=draw),
        encoder_hidden_states=torch.randn(2, 24, model.config.joint_attention_dim, generator=draw),
        pooled_projections=torch.randn(2, model.config.pooled_projection_dim, generator=draw),
        timestep=torch.tensor([0.3, 0.8]),
        img_ids=grid_ids(4, 4),
        txt_ids=text_ids(24),
        source=SourceTokens(torch.randn(2, 16, 48, generator=draw), grid_ids(4, 4)),
        routing_noise=torch.randn(2, model.num_blocks, 1, generator=draw),
    )
    found.sample.square().mean().backward()
    frozen = [each.numel() for block in model.blocks for each in block.parameters() if not each.requires_grad]
    return [weight.grad for weight in trained.values() if weight.grad is not None], frozen


def test_gradients_are_the_same_to_the_bit_and_weights_are_gone_afterwards():
    (gradients, _), (others, sizes) = stepped(offloaded=False), stepped(offloaded=True)
    assert len(gradients) == len(others) > 0
    assert any(each.any() for each in gradients)
    assert all(torch.equal(a, b) for a, b in zip(gradients, others, strict=True))
    assert not any(sizes)


def test_what_was_added_after_offloading_stays():
    recipe = world().replace(gradient_checkpointing=True, offload_base=True)
    model = open_base(recipe, None, ALONE.device)[0].transformer
    model.add_expert(0)
    assert all(weight.numel() for weight in model.freeze_for(0).values())
