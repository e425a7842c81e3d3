"""Metrics for Lightning modules."""

import subprocess
import sys

import pytest
import torch
import torch.distributed as dist
from torch import multiprocessing

from labelgraph.metrics import Embeddings, pack_bits
from labelgraph.metrics.modules import CrossModalMetrics, RetrievalMetrics
from tests.metrics.reference import retrieval_metrics


@pytest.fixture
def pairs():
    generator = torch.Generator().manual_seed(0)
    image, text = (torch.randn(20, 16, generator=generator, requires_grad=True) for _ in range(2))
    return image, text, (torch.rand(20, 4, generator=generator) < 0.4).float()


def test_batches_of_pairs_are_measured_together_in_both_directions(pairs):
    image, text, labels = pairs
    metric = CrossModalMetrics(["map", "recall@3"], similarity="dot")
    for batch in torch.arange(20).split(7):
        metric.update(*(side[batch] for side in pairs))
    image_to_text = retrieval_metrics(image, text, labels, labels, ["map", "recall@3"], similarity="dot")
    text_to_image = retrieval_metrics(text, image, labels, labels, ["map", "recall@3"], similarity="dot")
    assert {name: value.item() for name, value in metric.compute().items()} == {
        "image_to_text/map": image_to_text["map"],
        "image_to_text/recall@3": image_to_text["recall@3"],
        "text_to_image/map": text_to_image["map"],
        "text_to_image/recall@3": text_to_image["recall@3"],
    }
    assert image_to_text["map"] != text_to_image["map"]
    assert not metric.image[0].requires_grad


def test_ids_sort_pairs_and_drop_repeated_pairs(pairs):
    sides = [pack_bits(side) if side.shape[1] == 16 else side for side in pairs]
    names, options = ["map", "map@5/first-k"], {"similarity": "hamming"}
    ordered, shuffled = CrossModalMetrics(names, **options), CrossModalMetrics(names, **options)
    ordered.update(*sides)
    places = torch.cat([torch.randperm(20, generator=torch.Generator().manual_seed(1)), torch.tensor([3, 3, 0])])
    for batch in places.split(6):
        shuffled.update(*(side[batch] for side in sides), ids=batch)
    assert shuffled.compute() == ordered.compute()


def test_a_reset_drops_all_batches(pairs):
    image, text, labels = pairs
    metric = RetrievalMetrics(["map"], ties="expected")
    metric.update(image, labels, "database")
    metric.update(image, labels)
    metric.compute()
    metric.reset()
    metric.update(text, labels)
    metric.update(image[:10], labels[:10], "database")
    metric.update(image[10:], labels[10:], "database")
    expected = retrieval_metrics(text, image, labels, labels, ["map"], ties="expected")
    assert metric.compute()["map"].item() == expected["map"]


@pytest.mark.parametrize("metric", [CrossModalMetrics, RetrievalMetrics])
@pytest.mark.parametrize(
    ("metrics", "options", "facts"),
    [
        ("map", {}, ("'metrics'", "'map'")),
        (["mapp"], {}, ("'metrics'", "'mapp'", "did you mean 'map'")),
        (["map"], {"tise": "expected"}, ("'tise'", "did you mean 'ties'")),
        (["map"], {"ties": "random"}, ("'ties'", "'random'")),
        (["map"], {"similarity": "l2"}, ("'similarity'", "'l2'")),
        (["lookup@r2"], {"similarity": "dot"}, ("'hamming'", "'lookup@r2'")),
        (["map"], {"without_relevant": "nan"}, ("'without_relevant'", "'nan'")),
    ],
)
def test_wrong_arguments_are_errors_at_once(metric, metrics, options, facts):
    with pytest.raises(ValueError) as caught:
        metric(metrics, **options)
    assert all(fact in str(caught.value) for fact in facts)


@pytest.mark.parametrize(
    ("changes", "facts"),
    [
        ({"ids": torch.arange(19)}, ("'ids'", "20", "19")),
        ({"ids": torch.arange(20) - 1}, ("'ids'", "-1")),
        ({"ids": torch.rand(20)}, ("'ids'", "float")),
        ({"text": torch.ones(19, 16)}, ("'text'", "20", "19")),
        ({"image": torch.full((20, 16), torch.nan)}, ("'image'", "finite")),
        ({"image": torch.ones(20, 16, dtype=torch.uint8)}, ("'image'", "uint8")),
        ({"labels": torch.ones(20)}, ("'labels'", "(20,)")),
    ],
)
def test_a_wrong_batch_is_an_error_at_once(pairs, changes, facts):
    metric = CrossModalMetrics(["map"])
    with pytest.raises(ValueError) as caught:
        metric.update(**{**dict(zip(("image", "text", "labels"), pairs, strict=True)), **changes})
    assert all(fact in str(caught.value) for fact in facts)


def test_ids_are_given_always_or_never(pairs):
    metric = CrossModalMetrics(["map"])
    metric.update(*pairs, torch.arange(20))
    with pytest.raises(ValueError, match="'ids'"):
        metric.update(*pairs)
    one_way = RetrievalMetrics(["map"])
    one_way.update(pairs[0], pairs[2])
    with pytest.raises(ValueError, match="'ids'"):
        one_way.update(pairs[0], pairs[2], ids=torch.arange(20))


def test_embeddings_keep_their_similarity(pairs):
    image, text, labels = pairs
    metric = CrossModalMetrics(["map", "own@5"])
    metric.update(Embeddings(image, "dot"), Embeddings(text, "dot"), labels, range(20))
    ids = torch.arange(20)
    wanted = retrieval_metrics(
        image, text, labels, labels, ["map", "own@5"], similarity="dot", query_ids=ids, database_ids=ids,
        leave_out_own=False,
    )  # fmt: skip
    assert metric.compute()["image_to_text/own@5"].item() == wanted["own@5"]
    assert metric.compute()["image_to_text/map"].item() == wanted["map"]
    with pytest.raises(ValueError, match=r"'image'.*'dot'.*'cosine'"):
        metric.update(image, text, labels, range(20))


def test_compute_without_batches_is_an_error():
    for metric in (CrossModalMetrics(["map"]), RetrievalMetrics(["map"])):
        with pytest.warns(UserWarning, match="compute"), pytest.raises(ValueError, match="'update'"):
            metric.compute()


def alone(rank, folder):
    """Process 1 has no batch, or the items that a sampler repeats."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    generator = torch.Generator().manual_seed(0)
    image, text = (torch.randn(7, 16, generator=generator) for _ in range(2))
    labels = (torch.rand(7, 3, generator=generator) < 0.5).float()
    values = []
    for pack, similarity in ((lambda side: side, "dot"), (pack_bits, "hamming")):
        kinds = [Embeddings(pack(side), similarity) for side in (image, text)]
        metric, one_way = CrossModalMetrics(["map", "own@2"]), RetrievalMetrics(["map"])
        padded = RetrievalMetrics(["map"])
        if rank == 0:
            metric.update(*kinds, labels, torch.arange(7))
            one_way.update(kinds[0], labels)
            one_way.update(kinds[1], labels, "database")
        mine = (torch.arange(8) % 7)[rank::2]
        padded.update(kinds[0][mine], labels[mine], "query", mine)
        padded.update(kinds[1][mine], labels[mine], "database", mine)
        values.append((metric.compute(), one_way.compute(), padded.compute()))
        if similarity == "dot":
            without = RetrievalMetrics(["map"])
            without.update(kinds[0][mine], labels[mine])
            without.update(kinds[1][mine], labels[mine], "database")
            with pytest.raises(ValueError, match="'ids'"):
                without.compute()
    torch.save(values, folder / f"{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.slow
def test_a_process_may_have_no_batch_or_repeated_batches(tmp_path):
    multiprocessing.spawn(alone, (tmp_path,), nprocs=2)
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    assert first == second
    generator = torch.Generator().manual_seed(0)
    image, text = (torch.randn(7, 16, generator=generator) for _ in range(2))
    labels = (torch.rand(7, 3, generator=generator) < 0.5).float()
    wanted = retrieval_metrics(image, text, labels, labels, ["map"], similarity="dot")["map"]
    both, one_way, padded = first[0]
    assert both["image_to_text/map"].item() == one_way["map"].item() == padded["map"].item() == pytest.approx(wanted)
    wanted = retrieval_metrics(pack_bits(image), pack_bits(text), labels, labels, ["map"], similarity="hamming")["map"]
    assert all(
        value.item() == pytest.approx(wanted) for value in (first[1][0]["image_to_text/map"], first[1][2]["map"])
    )


def unlike(rank, folder):
    """The rows of the two processes have other dtypes, or do not fit each other."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    generator = torch.Generator().manual_seed(0)
    image, text = (torch.randn(9, 8, generator=generator) for _ in range(2))
    labels, ids = (torch.rand(9, 3, generator=generator) < 0.5).float(), torch.arange(9)
    mine = slice(0, 5) if rank else slice(5, 9)
    kinds = [(torch.float64, torch.bool), (torch.float32, torch.int64), (torch.bfloat16, torch.uint8)]
    values = []
    for first, second in ((0, 1), (1, 0), (1, 2)):
        precision, whole = kinds[second if rank else first]
        metric = CrossModalMetrics(["map"])
        metric.update(
            *(side.bfloat16().to(precision)[mine] for side in (image, text)), labels.to(whole)[mine], ids[mine]
        )
        values.append({name: value.item() for name, value in metric.compute().items()})
    for similarity, width, columns, given, facts in (
        ("cosine", 8 - rank, 3, ids, ("'image'", "columns 8", "columns 7")),
        ("cosine", 8, 3 - rank, ids, ("'labels'", "columns 3", "columns 2")),
        ("cosine" if rank else "dot", 8, 3, ids, ("'image'", "dot", "cosine")),
        ("cosine", 8, 3, ids if rank else None, ("'ids'", "no ids and ids")),
    ):
        metric = CrossModalMetrics(["map"], similarity=similarity)
        metric.update(
            image[mine, :width], text[mine, :width], labels[mine, :columns], None if given is None else given[mine]
        )
        with pytest.raises(ValueError, match="in all processes") as error:
            metric.compute()
        assert all(fact in str(error.value) for fact in facts)
    probable = [Embeddings(image.sigmoid(), "jaccard", 3 + rank)] * 2
    metric = CrossModalMetrics(["map"])
    metric.update(*probable, labels)
    with pytest.raises(ValueError, match=r"'image'.*num_labels 3 and num_labels 4"):
        metric.compute()
    with pytest.raises(ValueError, match="'update' must give 'labels'"):
        CrossModalMetrics(["map"]).compute()
    torch.save(values, folder / f"{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.slow
def test_rows_of_several_processes_must_fit_and_may_have_several_dtypes(tmp_path):
    multiprocessing.spawn(unlike, (tmp_path,), nprocs=2)
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    assert first == second
    generator = torch.Generator().manual_seed(0)
    image, text = (torch.randn(9, 8, generator=generator).bfloat16().double() for _ in range(2))
    labels = (torch.rand(9, 3, generator=generator) < 0.5).float()
    for name, (query, database) in {"image_to_text": (image, text), "text_to_image": (text, image)}.items():
        wanted = retrieval_metrics(query, database, labels, labels, ["map"], similarity="cosine")["map"]
        assert all(value[f"{name}/map"] == pytest.approx(wanted) for value in first)


def test_an_unknown_side_is_named():
    with pytest.raises(ValueError, match=r"'side' must be 'query' or 'database' \(got 'gallery'\)"):
        RetrievalMetrics().update(torch.ones(1, 1), torch.ones(1, 1), "gallery")


def test_torchmetrics_is_imported_only_with_the_module():
    code = "import sys, labelgraph.metrics; print('torchmetrics' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert result.strip() == "False"


BATCH = (torch.eye(4), torch.eye(4), torch.eye(4))


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ((torch.eye(4), torch.eye(4)[:, :3], torch.eye(4)), r"'text' must have 4 columns, as 'image' has \(got 3\)"),
        ((torch.eye(4, 5), torch.eye(4, 5), torch.eye(4)), r"'image' must have 4 columns, .* \(got 5\)"),
        ((torch.eye(4), torch.eye(4), torch.eye(4, 5)), r"'labels' must have 4 columns, .* \(got 5\)"),
        ((torch.eye(4), torch.eye(4), 2 * torch.eye(4)), r"'labels' must be 0 or 1 \(got 2\)"),
        ((torch.eye(4), torch.eye(4), torch.full((4, 4), torch.nan)), r"'labels' must be 0 or 1 \(got nan\)"),
    ],
)
def test_a_batch_that_does_not_fit_is_refused_by_update(batch, message):
    metric = CrossModalMetrics(["map"])
    metric.update(*BATCH)
    with pytest.raises(ValueError, match=message):
        metric.update(*batch)
    assert metric.compute()["image_to_text/map"] == 1


def test_queries_and_database_have_one_width():
    metric = RetrievalMetrics(["map"])
    metric.update(torch.eye(4), torch.eye(4), "database")
    with pytest.raises(ValueError, match=r"'embedding' must have 4 columns, .* \(got 3\)"):
        metric.update(torch.eye(4)[:, :3], torch.eye(4))


def test_a_radius_is_refused_in_the_first_batch_without_codes():
    with pytest.raises(ValueError, match=r"'image' must be codes, .* 'precision@r2' in 'metrics'"):
        CrossModalMetrics(["map", "precision@r2"]).update(*BATCH)


@pytest.mark.parametrize("size", [0, 1.5, True])
def test_a_wrong_block_size_is_refused_at_once(size):
    with pytest.raises(ValueError, match=f"'block_size' .*got {size}"):
        CrossModalMetrics(["map"], block_size=size)


def test_one_id_for_different_items_is_refused():
    metric = CrossModalMetrics(["map"])
    metric.update(*BATCH, [0, 1, 1, 2])
    with pytest.raises(ValueError, match=r"'ids' must differ between items \(got 1"):
        metric.compute()
