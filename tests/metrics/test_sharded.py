"""Metrics of queries and a database in parts, in several processes."""

from datetime import timedelta

import pytest
import scipy.sparse as sp
import torch
import torch.distributed as dist
from torch import multiprocessing

from labelgraph._core.embeddings import Embeddings
from labelgraph.metrics import pack_bits, query_metrics, sharded_metrics

NAMES = [
    "map", "map@7/first-k", "precision@5", "recall@9", "r-precision", "precision@recall0.5", "ndcg@6", "jaccard@4",
    "exact@3", "relevant",
]  # fmt: skip
CODES = [*NAMES, "precision@r5", "lookup@r4"]
OWN = ["map", "own@5", "own-rank"]
QUERIES, ITEMS = (11, 4), (13, 24)  # Of each process.


def sides():
    generator = torch.Generator().manual_seed(0)
    query, database = (torch.randn(sum(sizes), 16, generator=generator) for sizes in (QUERIES, ITEMS))
    labels = [(torch.rand(sum(sizes), 4, generator=generator) < 0.3).float() for sizes in (QUERIES, ITEMS)]
    return query, database, *labels


def cases():
    """Arguments of both functions, by a name that says whether all scores are exact."""
    query, database, *labels = sides()
    exact = (query * 4).round(), (database * 4).round()  # The products of whole numbers are exact.
    codes, many = (pack_bits(query), pack_bits(database)), [sp.csr_array(part.numpy()) for part in labels]
    ids = {"query_ids": torch.arange(15), "database_ids": torch.arange(37)}
    jaccard = [Embeddings(side.sigmoid(), "jaccard") for side in (query, database)]
    return {
        "exact dot": ((*exact, *labels, NAMES), {"similarity": "dot"}),
        "exact tied dot": ((*exact, *labels, NAMES), {"similarity": "dot", "ties": "expected", **ids}),
        "exact codes": ((*codes, *labels, CODES), {"similarity": "hamming", **ids}),
        "exact tied codes": ((*codes, *labels, CODES), {"similarity": "hamming", "ties": "expected"}),
        "exact sparse labels": ((*exact, *many, NAMES), {"similarity": "dot"}),
        "exact own": ((*exact, *labels, OWN), {"similarity": "dot", "leave_out_own": False, **ids}),
        "exact function": ((*exact, *labels, ["map"]), {"similarity": "dot", "relevance": lambda q, d: q @ d.t() > 1}),
        "cosine": ((query, database, *labels, NAMES), {}),
        "jaccard": ((*jaccard, *labels, NAMES), {}),
    }


def own_part(rank, arguments, options):
    rows = [slice(0, sizes[0]) if rank == 0 else slice(sizes[0], None) for sizes in (QUERIES, ITEMS)]
    parts = [side[rows[place % 2]] for place, side in enumerate(arguments[:4])]
    ids = {name: options[name][rows[place]] for place, name in enumerate(("query_ids", "database_ids"))
           if name in options}  # fmt: skip
    return (*parts, *arguments[4:]), {**options, **ids}


def process(rank, folder):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2,
                            timeout=timedelta(minutes=1))  # fmt: skip
    result = {}
    for name, (arguments, options) in cases().items():
        parts, options = own_part(rank, arguments, options)
        for block_size in (None, 1, 5):
            result[name, block_size] = sharded_metrics(*parts, group=dist.group.WORLD, block_size=block_size, **options)
    torch.save((result, errors(rank), failures(rank)), folder / f"{rank}.pt")
    dist.destroy_process_group()


def errors(rank):
    """The error that this process raises for parts that do not fit."""
    query, database, asked, held = sides()
    messages = []
    for parts in (
        (query[:3], database[: 2 - 2 * rank], asked[:3], held[: 2 - 2 * rank]),
        (query[:3], database[:3, : 16 - rank], asked[:3], held[:3]),
        (query[:3], database[:3], asked[: 3 - rank], held[:3]),
        (query[:3], database[:3], asked[:3], held[:3] * (1 + rank)),
        (query[:3], database[:3], asked[:3], held[:3], {"query_ids": range(3), "database_ids": range(3 - rank)}),
        (query[:3], database[:3], asked[:3], held[:3], {"query_ids": ["a", "b", 3][rank:], "database_ids": range(3)}),
    ):
        *parts, ids = parts if len(parts) == 5 else (*parts, {})
        try:
            sharded_metrics(*parts, group=dist.group.WORLD, similarity="dot", **ids)
        except ValueError as error:
            messages.append(str(error))
    return messages


def failures(rank):
    """The error that this process raises if a function of the user fails only in process 1, in its second block."""
    query, database, asked, held = sides()

    def failing(error):
        calls = []

        def relevance(q, d):
            calls.append(len(q))
            if rank == 1 and len(calls) == 2:
                raise error
            return q @ d.t() > 1

        return relevance

    found = []
    for measure, rows in ((sharded_metrics, slice(rank, None, 2)), (query_metrics, slice(None))):
        for error in (ValueError("no such label"), ZeroDivisionError("by zero")):
            parts = [part[rows] for part in (query, database, asked, held)]
            with pytest.raises(Exception) as caught:
                measure(*parts, group=dist.group.WORLD, block_size=3, relevance=failing(error))
            found.append((caught.typename, str(caught.value)))
        values = measure(*parts, group=dist.group.WORLD, block_size=3)  # The processes can go on.
        found.append(values["map"].tolist())
    return found


@pytest.fixture(scope="module")
def of_two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    multiprocessing.spawn(process, (folder,), nprocs=2)
    return [torch.load(folder / f"{rank}.pt") for rank in (0, 1)]


@pytest.mark.slow
@pytest.mark.parametrize("name", cases())
def test_parts_in_two_processes_give_the_values_of_one(of_two, name):
    arguments, options = cases()[name]
    expected = query_metrics(*arguments, **options)
    assert len({column.sum().item() for column in expected.values()}) > len(expected) / 2
    for result, _, _ in of_two:
        for block_size in (None, 1, 5):
            values = result[name, block_size]
            assert values.keys() == expected.keys()
            for metric, column in expected.items():
                digits = 1e-13 if name.startswith("exact") else 1e-6
                torch.testing.assert_close(values[metric], column, rtol=digits, atol=digits, equal_nan=True)


@pytest.mark.slow
def test_parts_that_do_not_fit_are_an_error_in_both_processes(of_two):
    (_, first, _), (_, second, _) = of_two
    facts_of_each = [
        "'database' row process 1", "width 16 15", "'query_labels' 3 2", "'database_labels' 0 1 2.0 process 1",
        "'database_ids' (3,) (2,) process 1", "'query_ids' whole process 0",
    ]  # fmt: skip
    assert first == second
    for message, facts in zip(first, facts_of_each, strict=True):
        assert all(fact in message for fact in facts.split())


@pytest.mark.slow
def test_a_function_that_fails_in_one_process_stops_both(of_two):
    (_, _, first), (_, _, second) = of_two
    for own, other in (first[:3], second[:3]), (first[3:], second[3:]):
        assert own[0] == other[0] == ("ValueError", "no such label in process 1")
        assert own[1] == ("RuntimeError", "ZeroDivisionError: by zero in process 1")
        assert other[1] == ("ZeroDivisionError", "by zero")
        assert own[2] == other[2] and len(own[2]) == sum(QUERIES)
