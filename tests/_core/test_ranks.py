"""Rows and sums of several processes, with gradients."""

import pytest
import torch
import torch.distributed as dist
from torch import multiprocessing
from torch.nn import functional as F

from labelgraph._core.ranks import average_gradient, is_shared, rows_of_all, shared_batch, sum_of_all
from labelgraph.nn import FeatureNorm

SIZES = (5, 3)


def values():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(sum(SIZES), 4, generator=generator, dtype=torch.float64)
    return x, torch.randn(4, 4, generator=generator, dtype=torch.float64), torch.arange(sum(SIZES)) % 3 == 0


def loss(rows):
    """A loss between all pairs of rows."""
    return (rows @ rows.t()).softmax(1).diagonal().square().sum()


def norm():
    layer = FeatureNorm(4).double()
    torch.nn.init.uniform_(layer.weight, generator=torch.Generator().manual_seed(1))
    return layer


def average_of(own, sparse_gradient):
    """The mean over processes of the gradient of a table, of which each process reads the rows of its items."""
    table = torch.ones(6, 4, dtype=torch.float64, requires_grad=True)
    places = torch.tensor([0, 3, 3, 5, 0, 0, 2, 5])[own]
    (F.embedding(places, table, sparse=sparse_gradient) * values()[0][own]).sum().backward()
    average_gradient(table)
    return table.grad.to_dense()


def process(rank, folder):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    x, weight, truth = values()
    own = slice(0, SIZES[0]) if rank == 0 else slice(SIZES[0], None)
    weight.requires_grad_()
    layer = norm()
    with shared_batch(dist.group.WORLD):
        assert is_shared()
        rows, gathered, none = rows_of_all(layer(x[own] @ weight), truth[own], x[: 2 * rank, :1])
        single = layer(x[: 1 - rank])
        (sparse,) = rows_of_all(truth.double().diag()[own].to_sparse_csr())
        averaged = [average_of(own, sparse_gradient) for sparse_gradient in (True, False)]
    loss(rows).backward()
    gradients = [weight.grad, layer.weight.grad, layer.bias.grad]
    for gradient in gradients:
        dist.all_reduce(gradient)
    means = [gradient / 2 for gradient in gradients]
    torch.save(
        (rows, gathered, none, means, layer.state_dict(), sparse.to_dense(), averaged, single), folder / f"{rank}.pt"
    )
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_processes_have_the_batch_and_the_mean_gradient_of_one(tmp_path):
    multiprocessing.spawn(process, (tmp_path,), nprocs=2)
    x, weight, truth = values()
    weight.requires_grad_()
    layer = norm()
    expected = layer(x @ weight)
    loss(expected).backward()
    gradients = [weight.grad, layer.weight.grad, layer.bias.grad]
    for rank in (0, 1):
        rows, gathered, none, means, state, sparse, averaged, single = torch.load(tmp_path / f"{rank}.pt")
        torch.testing.assert_close(rows, expected)
        assert torch.equal(gathered, truth) and torch.equal(none, x[:2, :1])
        torch.testing.assert_close(means, gradients)
        for mean in averaged:
            torch.testing.assert_close(mean, 0.5 * average_of(slice(None), True))
        assert torch.equal(sparse, truth.double().diag())
        torch.testing.assert_close(state, layer.state_dict())
        assert single.shape == (1 - rank, 4)
    # A batch of one item, which the other process has, is normalised by the running statistics.
    single = torch.load(tmp_path / "0.pt")[-1]
    mean, variance = layer.running_mean, layer.running_var
    torch.testing.assert_close(single, F.batch_norm(x[:1], mean, variance, layer.weight, layer.bias))


def test_a_batch_of_one_process_is_unchanged():
    x = torch.rand(3, 2)
    assert not is_shared() and sum_of_all(x) is x and rows_of_all(x)[0] is x
    with shared_batch(None):
        assert not is_shared() and rows_of_all(x)[0] is x
