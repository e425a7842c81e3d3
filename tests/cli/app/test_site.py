"""What a site says of its items and labels, against counts of the data."""

import numpy as np
import pytest

from labelgraph.cli.app.site import Site


def test_the_collection(site):
    known, data = site.collection, site.data
    assert (known.name, known.items, known.pictures, known.texts) == ("small", 8, 8, 8)
    assert known.labels == dict(zip(data.label_names, data.labels.sum(0).int().tolist(), strict=True))
    assert (known.by_text, known.by_picture, known.by_labels, known.graph) == (True, True, True, True)


def test_neighbours_are_shares_of_the_items(site):
    labels, names = site.data.labels.numpy(), list(site.data.label_names)
    together = labels.T @ labels
    for number, name in enumerate(names):
        found = site.neighbours(name).neighbours
        others = {names[i] for i in np.flatnonzero(together[number]) if i != number}
        assert {each.name for each in found} == others
        for each in found:
            other = names.index(each.name)
            assert each.forward == pytest.approx(together[number, other] / together[number, number])
            assert each.backward == pytest.approx(together[number, other] / together[other, other])


def test_an_unknown_label_has_no_neighbours(site):
    with pytest.raises(ValueError, match=r"'label'.*'brid'.*'bird'"):
        site.neighbours("brid")


def test_without_data_the_graph_is_that_of_the_model(searcher, drawn_data):
    bare = Site.of(searcher, "small", None, None, drawn_data.folder)
    assert bare.collection.graph and bare.neighbours("bird").neighbours == []  # Its labels are never together.
    searcher.method._graph = None
    none = Site.of(searcher, "small", None, None, drawn_data.folder)
    assert not none.collection.graph and none.graph_page() is None
    with pytest.raises(ValueError, match="--data"):
        none.neighbours("bird")


def test_the_page_of_the_graph_is_made_once(site):
    page = site.graph_page()
    assert page.startswith(b"<!doctype html>") and b"night_sky" in page and site.graph_page() is page
