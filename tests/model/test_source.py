import pytest
import torch

from cologen.model.routing import Routing
from cologen.model.source import SourceCache, SourceReader, SourceWriter


def cache(num_tokens: int, seed: int, num_blocks: int = 2) -> SourceCache:
    generator = torch.Generator().manual_seed(seed)
    keys, values = (
        tuple(torch.randn(3, num_tokens, 2, 4, generator=generator) for _ in range(num_blocks)) for _ in range(2)
    )
    return SourceCache(keys, values, Routing(torch.rand(3, num_blocks, 2, generator=generator)))


def test_sources_stand_one_after_the_other() -> None:
    joined = SourceCache.join([cache(5, 1), cache(7, 2)])
    assert torch.equal(joined.keys[1], torch.cat([cache(5, 1).keys[1], cache(7, 2).keys[1]], dim=1))
    assert torch.equal(joined.values[0][:, 5:], cache(7, 2).values[0])
    assert joined.routing is not None
    assert joined.routing.probability.shape == (6, 2, 2)
    with pytest.raises(ValueError, match="no source"):
        SourceCache.join([])


def test_a_source_alone_is_not_copied() -> None:
    alone = cache(5, 1)
    assert SourceCache.join([alone]) is alone


def test_gradients_of_keys_keep_no_larger_tensor_in_memory() -> None:
    """They wait in every block until the source's own backward pass."""
    sizes: list[tuple[int, int]] = []
    key, value = torch.randn(2, 1, 3, 2, 4, requires_grad=True)
    beginning = (key * 1.0, value * 1.0)
    for each in beginning:
        each.grad_fn.register_prehook(
            lambda found: sizes.append((found[0].untyped_storage().nbytes(), found[0].nbytes))
        )  # type: ignore[union-attr]
    read = SourceReader(SourceCache((beginning[0],), (beginning[1],), None)).part_of(0)
    torch.cat([torch.randn(1, 50, 2, 4), *read], dim=1).square().sum().backward()
    assert [whole for whole, _ in sizes] == [own for _, own in sizes] == [3 * 2 * 4 * 4] * 2


def test_repeating_serves_further_branches() -> None:
    repeated = cache(5, 1).repeated(2)
    assert repeated.batch == 6
    assert torch.equal(repeated.keys[0][3:], cache(5, 1).keys[0])


def test_a_block_that_runs_again_changes_nothing() -> None:
    writer, first = SourceWriter(noise=torch.arange(6.0).reshape(1, 3, 2)), torch.ones(1, 2, 1, 4)
    for block in range(3):
        writer.record(block, first, first, torch.ones(1, 2))
    for block in range(3):
        writer.record(block, 2 * first, 2 * first, torch.zeros(1, 2))
    written = writer.cache()
    assert all(torch.equal(each, first) for each in (*written.keys, *written.values))
    assert writer.noise_of(1) is not None
    assert torch.equal(writer.noise_of(1), torch.tensor([[2.0, 3.0]]))  # type: ignore[arg-type]
