"""FAISS indexes against the exact ones."""

import numpy as np
import pytest
import torch

from labelgraph.metrics import pack_bits
from labelgraph.search import INDEXES, build_index
from labelgraph.search.exact_index import ExactIndex

pytest.importorskip("faiss")

NAMES = [name for name in INDEXES if name.startswith("faiss")]
KINDS = [(name, similarity) for name in NAMES for similarity in INDEXES[name].similarities]


def clustered(similarity, size, seed=1, width=32):
    """Vectors, or codes, around 20 centres."""
    centres = torch.randn(20, width, generator=torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(seed)
    near = centres[torch.randint(0, 20, (size,), generator=generator)]
    near = near + 0.3 * torch.randn(size, width, generator=generator)
    if similarity == "jaccard":
        return (2 * near - 2).sigmoid()
    return pack_bits(near) if similarity == "hamming" else near


def exact(similarity, vectors):
    index = ExactIndex(similarity)
    index.add(vectors)
    return index


def recall(result, wanted):
    """Share of the found whose score is at least as near as the last wanted: equal ones may stand for another."""
    return (result <= wanted[:, -1:]).double().mean().item()


def keys(similarity, scores):
    return scores.double() * (1 if similarity == "hamming" else -1)


@pytest.fixture(params=KINDS, ids="-".join)
def kind(request):
    return request.param


@pytest.fixture
def name(kind):
    return kind[0]


@pytest.fixture
def similarity(kind):
    return kind[1]


@pytest.fixture
def index(name, similarity):
    index = build_index(name, similarity)
    index.add(clustered(similarity, 3000))
    return index


@pytest.mark.parametrize("k", [1, 10, 5000])
def test_flat_is_exact(k):
    for name, similarity in [kind for kind in KINDS if kind[0].endswith("flat")]:
        database, query = clustered(similarity, 500), clustered(similarity, 20, seed=2)
        index = build_index(name, similarity)
        index.add(database)
        scores, positions = index.search(query, k)
        wanted, wanted_positions = exact(similarity, database).search(query, k)
        torch.testing.assert_close(scores, wanted)
        if similarity != "hamming":
            assert torch.equal(positions, wanted_positions)
        for row in range(20):
            assert len(set(positions[row].tolist())) == min(k, 500)


def test_probing_every_list_is_exact():
    for name, similarity in [kind for kind in KINDS if kind[0].endswith("ivf")]:
        database, query = clustered(similarity, 3000), clustered(similarity, 20, seed=2)
        index = build_index(name, similarity, num_probes=10_000)
        index.add(database)
        scores, _ = index.search(query, 10)
        torch.testing.assert_close(scores, exact(similarity, database).search(query, 10)[0])


def test_recall(index, similarity):
    query = clustered(similarity, 50, seed=2)
    scores, positions = index.search(query, 10)
    wanted = exact(similarity, clustered(similarity, 3000)).search(query, 10)[0]
    assert recall(keys(similarity, scores), keys(similarity, wanted) + 1e-6) > 0.9
    # The scores are those of the positions.
    again = exact(similarity, clustered(similarity, 3000))
    for row in range(50):
        alone, _ = again.search(query[row : row + 1], 10, positions[row].sort().values)
        torch.testing.assert_close(alone[0], scores[row])


def test_settings_matter():
    query = clustered("cosine", 50, seed=2)
    wanted = keys("cosine", exact("cosine", clustered("cosine", 3000)).search(query, 10)[0]) + 1e-6
    result = {}
    for name, settings in (("faiss-ivf", {"num_probes": 1}), ("faiss-hnsw", {"num_links": 2, "search_width": 1})):
        index = build_index(name, **settings)
        index.add(clustered("cosine", 3000))
        result[name] = recall(keys("cosine", index.search(query, 10)[0]), wanted)
    assert all(each < 0.9 for each in result.values()), result


def test_a_choice_among_positions_is_exact(index, similarity):
    query, among = clustered(similarity, 5, seed=2), torch.arange(0, 3000, 7)
    exactly = exact(similarity, clustered(similarity, 3000)).search(query, 9, among)
    for result, wanted in zip(index.search(query, 9, among), exactly, strict=True):
        assert torch.equal(result, wanted)


def test_every_item_is_found_if_asked_for(index, similarity):
    _, positions = index.search(clustered(similarity, 3, seed=2), 4000)
    for row in positions.tolist():
        assert sorted(row) == list(range(3000))


def test_removal_and_addition(index, similarity):
    gone = torch.arange(0, 3000, 2)
    index.remove(gone)
    left = exact(similarity, clustered(similarity, 3000)[1::2])
    assert torch.equal(index.vectors, left.vectors)
    more = clustered(similarity, 700, seed=5)
    index.add(more)
    left.add(more)
    query = clustered(similarity, 50, seed=2)
    result, wanted = (keys(similarity, each.search(query, 10)[0]) for each in (index, left))
    assert recall(result, wanted + 1e-6) > 0.9
    _, positions = index.search(more, 1)
    if similarity == "jaccard":  # Others may share more labels with an item than it does with itself.
        assert torch.equal(positions, left.search(more, 1)[1])
    assert (positions.flatten() >= 1500).double().mean() > 0.5 - 0.2 * (similarity == "jaccard")  # The new are found.


def test_removing_everything_leaves_an_index_to_fill(index, similarity):
    index.remove(torch.arange(3000))
    assert index.search(clustered(similarity, 2), 3)[1].shape == (2, 0) and index.dump() == {}
    index.add(clustered(similarity, 5))
    assert index.search(clustered(similarity, 5), 1)[0].shape == (5, 1)


def test_lists_grow_with_the_items():
    index = build_index("faiss-ivf")
    index.add(clustered("cosine", 10))
    lists = [index._index.nlist]
    for _ in range(4):
        index.add(clustered("cosine", 700))
        lists.append(index._index.nlist)
    assert lists[0] == 1 and lists[-1] > 20 and index._index.ntotal == len(index) == 2810


def test_what_is_dumped_can_be_restored(name, index, similarity):
    again = build_index(name, similarity)
    again.restore(index.vectors, index.dump())
    query = clustered(similarity, 20, seed=2)
    for result, wanted in zip(again.search(query, 5), index.search(query, 5), strict=True):
        assert torch.equal(result, wanted)
    again.add(query)
    assert len(again) == 3020


def test_a_file_of_another_index_is_refused(name, index, similarity):
    if name.endswith("flat"):
        assert index.dump() == {}  # Its vectors are all that it needs.
        return
    other = build_index(name, similarity)
    other.add(clustered(similarity, 50))
    with pytest.raises(ValueError, match=r"expected \d+ items of width 32 in the FAISS file .got \d+ of 32"):
        build_index(name, similarity).restore(other.vectors, index.dump())
    with pytest.raises(ValueError, match="expected an index of FAISS"):
        build_index(name, similarity).restore(other.vectors, {"faiss": np.zeros(64, np.uint8).tobytes()})
    with pytest.raises(ValueError, match="expected the FAISS file"):
        build_index(name, similarity).restore(other.vectors, {})


def test_a_file_of_another_structure_is_refused():
    vectors = clustered("cosine", 60)
    graph = build_index("faiss-hnsw")
    graph.add(vectors)
    with pytest.raises(ValueError, match=r"expected IndexIVFFlat in the FAISS file \(got IndexHNSWFlat\)"):
        build_index("faiss-ivf").restore(vectors, graph.dump())


def test_wrong_vectors_leave_the_index_as_it_was(index, similarity):
    before = index._index.ntotal
    with pytest.raises(ValueError, match="'vectors' must have the shape"):
        index.add(clustered(similarity, 4, width=64))
    assert len(index) == 3000 and index._index.ntotal == before > 1000


@pytest.mark.parametrize(
    ("name", "similarity", "setting"),
    [
        (name, similarity, setting)
        for name, similarity in KINDS
        for setting in ("num_probes", "search_width")
        if setting in INDEXES[name].settings
    ],
)
def test_what_is_restored_searches_as_this_index_is_set(name, similarity, setting):
    vectors, query = clustered(similarity, 3000), clustered(similarity, 60, seed=2)
    whole = build_index(name, similarity)
    whole.add(vectors)
    narrow, again = build_index(name, similarity, **{setting: 1}), build_index(name, similarity)
    narrow.restore(vectors, whole.dump())
    again.restore(narrow.vectors, narrow.dump())
    wanted = whole.search(query, 10)[0]
    assert torch.equal(again.search(query, 10)[0], wanted)
    assert not torch.equal(narrow.search(query, 10)[0], wanted)


@pytest.mark.parametrize("name", ["faiss-hnsw", "faiss-ivf", "faiss-flat"])
def test_one_among_many_equal_vectors_is_found(name):
    vectors = torch.ones(3000, 4)
    vectors[1500] = torch.tensor([1.0, -1, 2, -3])
    index = build_index(name)
    index.add(vectors)
    scores, positions = index.search(vectors[1500:1501], 2)
    assert positions[0, 0] == 1500 and scores[0, 0].item() == pytest.approx(1.0)
    _, same = index.search(vectors[:1], 2000)
    assert len(set(same[0].tolist())) == 2000 and 1500 not in same[0]


@pytest.mark.parametrize("share", [0.2, 0.9])
def test_codes_among_many_equal_ones_are_found(share):
    codes = torch.randint(0, 256, (4000, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    same = torch.rand(4000, generator=torch.Generator().manual_seed(1)) < share
    codes[same] = 0
    index = build_index("faiss-binary-hnsw")
    for part in codes.split(1500):
        index.add(part)
    again = build_index("faiss-binary-hnsw")
    again.restore(index.vectors, index.dump())
    for each in (index, again):
        scores, positions = each.search(codes[~same][:300], 1)
        assert (scores == 0).all()
        assert torch.equal(codes[positions.flatten()], codes[~same][:300])


def realistic(size, num_labels, seed, pair=0):
    """Calibrated probabilities of about 3 labels an item, some frequent and some rare; and pair embeddings.

    Both come from what an item is about, a mixture of 16 things, as those of trained networks do.
    """
    fixed, generator = (torch.Generator().manual_seed(each) for each in (77, seed))
    about = torch.randn(size, 16, generator=generator)
    frequency = 1 / torch.arange(1, num_labels + 1)
    usual = (3 * frequency / frequency.sum()).clamp(max=0.6).logit()
    probabilities = (1.5 * usual + about @ torch.randn(16, num_labels, generator=fixed) * 0.6).sigmoid()
    embeddings = about @ torch.randn(16, pair, generator=fixed) + 2 * torch.randn(size, pair, generator=generator)
    return torch.cat([probabilities, torch.nn.functional.normalize(embeddings)], 1)


def seen_again(items, num_labels, seed=5):
    """The same things as some items, seen by another network."""
    noise = torch.randn(items.shape, generator=torch.Generator().manual_seed(seed))
    labels = (items[:, :num_labels].logit(1e-6) + 0.7 * noise[:, :num_labels]).sigmoid()
    return torch.cat([labels, torch.nn.functional.normalize(items[:, num_labels:] + 0.06 * noise[:, num_labels:])], 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["faiss-flat", "faiss-ivf", "faiss-hnsw"])
@pytest.mark.parametrize(("num_labels", "pair"), [(24, 0), (300, 0), (24, 32)])
def test_candidates_hold_the_first_by_expected_jaccard(name, num_labels, pair):
    database, query = (realistic(size, num_labels, seed, pair) for size, seed in ((20_000, 0), (100, 1)))
    query[:50] = seen_again(database[:50], num_labels)
    settings = {"num_probes": 32} if pair and name == "faiss-ivf" else {}
    result, wanted = build_index(name, "jaccard", num_labels, **settings), ExactIndex("jaccard", num_labels)
    for index in (result, wanted):
        index.add(database)
    scores, positions = result.search(query, 10)
    best, _ = wanted.search(query, 10)
    assert recall(-scores, -best + 1e-6) >= 0.95
    for row in range(3):  # The scores are the exact ones.
        order = positions[row].sort().values
        torch.testing.assert_close(wanted.search(query[row : row + 1], 10, order)[0][0], scores[row])
