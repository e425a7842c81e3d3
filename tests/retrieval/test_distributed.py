"""Queries shared out to two processes: the numbers of one."""

import pytest
import torch
import torch.distributed as dist
from torch import multiprocessing

from labelgraph.retrieval import pack_bits, query_metrics, retrieval_metrics
from labelgraph.retrieval.distributed import share
from labelgraph.retrieval.modules import CrossModalMetrics, RetrievalMetrics

NAMES = ["map", "map@10/first-k", "precision@5", "ndcg@10/linear"]
BLOCK_SIZES = (None, 1, 4, 20)


def items():
    generator = torch.Generator().manual_seed(0)
    image, text = (torch.randn(23, 16, generator=generator) for _ in range(2))
    return image, text, (torch.rand(23, 4, generator=generator) < 0.3).float()


def measure_all(group):
    """Metrics of every query, by similarity, treatment of ties and block size."""
    image, text, labels = items()
    kinds = {
        ("cosine", "database"): (image, text),
        ("dot", "expected"): (image, text),
        ("hamming", "database"): (pack_bits(image), pack_bits(text)),
        ("hamming", "expected"): (pack_bits(image), pack_bits(text)),
    }
    ids = torch.arange(23)
    found = {}
    for (similarity, ties), sides in kinds.items():
        names = [*NAMES, "precision@r6"] if similarity == "hamming" else NAMES
        for block_size in BLOCK_SIZES:
            found[similarity, ties, block_size] = query_metrics(
                *sides, labels, labels, names, similarity=similarity, ties=ties, block_size=block_size,
                query_ids=ids, database_ids=ids, group=group,
            )  # fmt: skip
    return found


def measure_batches(rank, num_processes):
    """The torchmetrics classes, fed as a distributed sampler feeds: every other item, the first one repeated."""
    image, text, labels = items()
    both, one = CrossModalMetrics(NAMES), RetrievalMetrics(["map"])
    order = torch.arange(24) % 23
    for batch in order[rank::num_processes].split(5):
        both.update(image[batch], text[batch], labels[batch], batch)
    mine = torch.arange(23)[rank::num_processes]
    one.update(image[mine], labels[mine])
    one.update(text[mine], labels[mine], "database")
    return both.compute(), one.compute()


def process(rank, folder):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    torch.save((measure_all(dist.group.WORLD), *measure_batches(rank, 2)), folder / f"{rank}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def of_two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    multiprocessing.spawn(process, (folder,), nprocs=2)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in (0, 1)]


def test_both_processes_have_the_numbers_of_one_bit_for_bit(of_two):
    alone = measure_all(None)
    for found, *_ in of_two:
        assert found.keys() == alone.keys()
        for case, values in alone.items():
            assert found[case].keys() == values.keys()
            assert all(torch.equal(found[case][name], column) for name, column in values.items()), case
            assert values["map"].max() > values["map"].min()


def test_torchmetrics_of_both_processes_have_the_numbers_of_one(of_two):
    image, text, labels = items()
    both = retrieval_metrics(image, text, labels, labels, NAMES)
    back = retrieval_metrics(text, image, labels, labels, NAMES)
    expected = {f"image_to_text/{name}": value for name, value in both.items()}
    expected |= {f"text_to_image/{name}": value for name, value in back.items()}
    for _, pairs, one_way in of_two:
        assert {name: value.item() for name, value in pairs.items()} == pytest.approx(expected)
        assert one_way["map"].item() == pytest.approx(both["map"])


@pytest.mark.parametrize("num_queries", [1, 2, 7, 23])
@pytest.mark.parametrize("block_size", [1, 4, 100])
@pytest.mark.parametrize("num_processes", [1, 2, 5])
def test_shares_are_whole_blocks_in_a_row(num_queries, block_size, num_processes):
    shares = [share(num_queries, block_size, rank, num_processes) for rank in range(num_processes)]
    assert [i for part in shares for i in range(part.start, part.stop)] == list(range(num_queries))
    assert all(part.start % block_size == 0 or part.start == num_queries for part in shares)
    blocks = [-(-(part.stop - part.start) // block_size) for part in shares]
    assert max(blocks) - min(blocks) <= 1
