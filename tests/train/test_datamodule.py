"""Batches of pairs and their order."""

from types import SimpleNamespace

import pytest
import scipy.sparse as sp
import torch

from labelgraph.data import CrossModalData, drop_modalities
from labelgraph.train import CrossModalDataModule
from labelgraph.train.datamodule import EpochSampler, PairDataset, SharedBatches


def order(seed, epoch, size=50):
    sampler = EpochSampler(size, seed)
    sampler.set_epoch(epoch)
    return list(sampler)


def test_the_order_is_a_permutation_of_seed_and_epoch():
    assert sorted(order(0, 0)) == list(range(50)) and len(EpochSampler(50, 0)) == 50
    orders = [tuple(order(seed, epoch)) for seed in range(4) for epoch in range(4)]
    assert len(set(orders)) == 16
    assert order(2, 3) == order(2, 3)


def test_the_order_does_not_depend_on_torch_s_seed():
    torch.manual_seed(1)
    first, state = order(0, 0), torch.get_rng_state()
    torch.manual_seed(2)
    assert order(0, 0) == first
    torch.manual_seed(1)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("convert", [lambda text: text, lambda text: sp.csr_array(text.numpy())])
def test_training_batches_hold_every_item_once(make_data, convert):
    data = make_data()
    data = CrossModalData(data.image, convert(data.text), data.labels, splits=data.splits)
    train = make_data().split("train")
    module = CrossModalDataModule(data, batch_size=7, seed=3)
    loader = module.train_dataloader()
    loader.batch_sampler.sampler.set_epoch(2)
    assert all(batch.text.layout == (torch.sparse_csr if sp.issparse(data.text) else torch.strided) for batch in loader)
    dense = (batch._replace(text=batch.text.to_dense()) for batch in loader)
    image, text, labels, present = (torch.cat(parts) for parts in zip(*dense, strict=True))
    expected = order(3, 2, len(train))
    assert torch.equal(image, train.image[expected])
    assert torch.equal(text, train.text[expected])
    assert torch.equal(labels, train.labels[expected]) and present.all()
    assert [len(batch[0]) for batch in loader] == [7, 7, 7, 7, 2]


@pytest.mark.parametrize("select", ["validation", "test"])
def test_validation_items_are_in_order(make_data, select):
    data = make_data()
    image, text, labels, _ = next(iter(CrossModalDataModule(data, 1000, select=select).val_dataloader()))
    part = data.split(select)
    assert torch.equal(image, part.image) and torch.equal(text, part.text) and torch.equal(labels, part.labels)


def test_a_batch_is_indexed_once(make_data):
    data = make_data()
    pairs = PairDataset(data, torch.arange(9, 40))
    image, text, labels, present = pairs.__getitems__([5, 0])
    assert torch.equal(image, data.image[[14, 9]]) and torch.equal(text, data.text[[14, 9]])
    assert present.shape == (2, 2) and torch.equal(labels, data.labels[[14, 9]]) and len(pairs) == 31


def changed(data, train, **changes):
    return CrossModalData(data.image, data.text, data.labels, splits={**data.splits, "train": train}, **changes)


def test_labels_without_a_training_item_are_named(make_data):
    data = make_data()
    train = [i for i in range(60) if not data.labels[i, [1, 3]].any()]
    with pytest.raises(ValueError, match=r"every label must have a training item \(got none for sun, cat\)"):
        CrossModalDataModule(changed(data, train, label_names=["sky", "sun", "sea", "cat", "dog"]), 8)


def test_labels_without_a_training_item_are_allowed_if_asked_for(make_data):
    data = make_data()
    train = [i for i in range(60) if not data.labels[i, [1, 3]].any()]
    module = CrossModalDataModule(changed(data, train), 8, unseen_labels=True)
    assert sum(len(batch.labels) for batch in module.train_dataloader()) == len(train)
    data.labels[train[0]] = 0
    with pytest.raises(ValueError, match="every training item must have a label"):
        CrossModalDataModule(changed(data, train), 8, unseen_labels=True)


def test_training_items_without_a_label_are_named(make_data):
    data = make_data()
    data.labels[[4, 9]] = 0
    with pytest.raises(ValueError, match=r"every training item must have a label \(got 2 without, first '9'\)"):
        CrossModalDataModule(changed(data, [*range(20, 60), 9, 4]), 8)


def test_validation_items_may_lack_labels(make_data):
    data = make_data()
    data.labels[data.splits["validation"][0]] = 0
    assert len(CrossModalDataModule(data, 8).select_set) == 15


@pytest.mark.parametrize("missing", ["train", "validation"])
def test_a_missing_split_is_named(make_data, missing):
    data = make_data()
    splits = {name: index for name, index in data.splits.items() if name != missing}
    with pytest.raises(ValueError, match=f"got '{missing}'"):
        CrossModalDataModule(CrossModalData(data.image, data.text, data.labels, splits=splits), 8)


def incomplete(make_data, share=0.8, image_only=0.5):
    return drop_modalities(make_data(size=200), share, image_only)


def test_interleaved_batches_have_each_kind_in_proportion(make_data):
    """Complete, image-only and text-only items are 1 to 2 to 2, as in the publication."""
    data = incomplete(make_data)
    module = CrossModalDataModule(data, batch_size=10, seed=1, interleave=True)
    batches = list(module.train_dataloader())
    for batch in batches:
        kinds = [tuple(kind) for kind in batch.present.tolist()]
        assert [kinds.count(kind) for kind in ((True, True), (True, False), (False, True))] == [2, 4, 4]
        assert not batch.image[~batch.present[:, 0]].any() and not batch.text[~batch.present[:, 1]].any()
    seen = torch.cat([batch.labels for batch in batches])
    assert torch.equal(seen.sum(0), data.split("train").labels.sum(0))


def test_interleaving_repeats_by_seed_and_epoch():
    kinds = torch.arange(33) % 4
    first = EpochSampler(33, 0, kinds)
    assert sorted(first) == list(range(33)) and list(first) == list(EpochSampler(33, 0, kinds))
    assert list(first) != list(EpochSampler(33, 1, kinds))


def test_items_of_one_kind_keep_the_random_order():
    assert list(EpochSampler(20, 3, torch.ones(20))) == list(EpochSampler(20, 3))


def test_training_items_that_are_all_incomplete_are_refused(make_data):
    with pytest.raises(ValueError, match=r"the split 'train' must have complete items \(got none of 100\)"):
        CrossModalDataModule(incomplete(make_data, share=1.0), 8)


def test_a_method_that_does_not_read_labels_needs_no_labels(make_data):
    data = make_data()
    data.labels[:] = 0
    assert len(CrossModalDataModule(data, 8, reads_labels=False).train_set) == 30


def test_without_selection_there_is_no_validation_loader(make_data):
    data = make_data()
    splits = {"train": data.splits["train"]}
    module = CrossModalDataModule(CrossModalData(data.image, data.text, data.labels, splits=splits), 8, select="last")
    assert module.val_dataloader() == []


@pytest.mark.parametrize("sparse", [True, False])
def test_batches_of_many_labels_are_sparse_for_a_method_that_takes_them(sparse):
    labels = sp.csr_array((torch.ones(12), (range(12), range(100, 112))), shape=(12, 5000))
    data = CrossModalData(torch.rand(12, 2), torch.rand(12, 3), labels, splits={"train": range(12)})
    settings = {"select": "last", "unseen_labels": True, "sparse_labels": sparse}
    loader = CrossModalDataModule(data, 5, **settings).train_dataloader()
    assert {batch.labels.layout for batch in loader} == {torch.sparse_csr if sparse else torch.strided}
    drawn = torch.cat([batch.labels.to_dense() for batch in loader])
    assert torch.equal(drawn, data.label_rows(torch.tensor(list(loader.batch_sampler.sampler))))


def test_few_labels_are_dense_in_every_batch(make_data):
    module = CrossModalDataModule(make_data(), 8, sparse_labels=True)
    assert all(batch.labels.layout == torch.strided for batch in module.train_dataloader())


def test_an_item_or_label_of_many_without_the_other_is_an_error():
    labels = sp.csr_array((torch.ones(11), (range(11), range(11))), shape=(12, 5000))
    data = CrossModalData(torch.rand(12, 2), torch.rand(12, 3), labels, splits={"train": range(12)})
    with pytest.raises(ValueError, match=r"every label must have a training item .* label 11, label 12"):
        CrossModalDataModule(data, 5, select="last")
    with pytest.raises(ValueError, match=r"every training item must have a label .*1 without, first '11'"):
        CrossModalDataModule(data, 5, select="last", unseen_labels=True)


@pytest.mark.parametrize("processes", [1, 2, 3, 5])
def test_the_parts_of_all_processes_are_the_batches_in_order(processes):
    order = EpochSampler(23, seed=4)
    parts = [[*SharedBatches(order, 6, rank, processes)] for rank in range(processes)]
    items = [*order]
    for start, *shares in zip(range(0, 23, 6), *parts, strict=True):
        assert [item for share in shares for item in share] == items[start : start + 6]
        assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert all(len(SharedBatches(order, 6, rank, processes)) == 4 for rank in range(processes))


def test_each_process_reads_its_part_of_both_splits(make_data):
    data, ids, held_out = make_data(), [], []
    for rank in range(3):
        module = CrossModalDataModule(data, batch_size=8, seed=1)
        module.trainer = SimpleNamespace(global_rank=rank, world_size=3)
        ids.append([batch.image for batch in module.train_dataloader()])
        held_out += [batch.image for batch in module.val_dataloader()]
    together = torch.cat([torch.cat(parts) for parts in zip(*ids, strict=True)])
    assert torch.equal(together, data.image[data.rows("train")[order(1, 0, len(data.rows("train")))]])
    assert torch.equal(torch.cat(held_out), data.split("validation").image)


def test_more_processes_than_items_to_validate_on_are_refused(make_data):
    module = CrossModalDataModule(make_data(), batch_size=8)
    module.trainer = SimpleNamespace(global_rank=0, world_size=16)
    with pytest.raises(ValueError, match=r"an item for each device \(got 15\)"):
        module.val_dataloader()
