"""Drawings of label graphs, without a display."""

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from labelgraph.graph import KNN, BinaryAdjacency, cooccurrence_graph
from labelgraph.nn import dense_adjacency
from labelgraph.report import draw_graph, draw_heat_map, grouped_order

LABELS = np.random.default_rng(0).random((60, 9)) < np.linspace(0.1, 0.5, 9)
LABELS[:, 4] = False
GRAPHS = {
    "counted": cooccurrence_graph(LABELS),
    "pruned": KNN(2)(cooccurrence_graph(LABELS)),
    "with self-loops": BinaryAdjacency(0.3)(cooccurrence_graph(LABELS)),
    "without edges": cooccurrence_graph(np.eye(10)),
    "one edge": cooccurrence_graph([[1, 1]]),
    "one label": cooccurrence_graph([[1]]),
    "never occurs": cooccurrence_graph([[0, 0]]),
}


def drawn(draw, *arguments, **options):
    """The axes after drawing, written to memory, so that what fails at rendering fails here."""
    figure = Figure()
    ax = figure.subplots()
    draw(*arguments, ax=ax, **options)
    FigureCanvasAgg(figure).draw()
    return ax


def arrows(ax):
    return [patch for patch in ax.patches if isinstance(patch, FancyArrowPatch)]


def dots(ax):
    return next(artist for artist in ax.collections if isinstance(artist, PathCollection))


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_every_label_and_every_edge_but_loops(graph):
    ax = drawn(draw_graph, graph)
    edges = int((graph.edge_index[0] != graph.edge_index[1]).sum())
    assert len(arrows(ax)) == edges
    assert len(dots(ax).get_offsets()) == graph.num_nodes
    assert {text.get_text() for text in ax.texts if not text.get_text().startswith("Arrow")} == set(graph.label_names)
    assert ax.get_title() == f"{graph.num_nodes} labels, {edges} edges"


@pytest.mark.parametrize("most", [0, 1, 7])
def test_the_heaviest_edges_are_drawn(most):
    graph = GRAPHS["counted"]
    ax = drawn(draw_graph, graph, max_edges=most)
    assert len(arrows(ax)) == most
    assert ax.get_title() == f"9 labels, {most} edges of {graph.num_edges}"
    place = dict(zip(map(tuple, dots(ax).get_offsets().tolist()), range(9), strict=True))
    heaviest = graph.edge_index[:, graph.edge_weight.argsort(descending=True, stable=True)[:most]].T.tolist()
    got = [[place[tuple(map(float, end))] for end in arrow._posA_posB][::-1] for arrow in arrows(ax)]
    weights = dense_adjacency(graph.edge_index, graph.edge_weight, 9)
    assert sorted(weights[i, j].item() for i, j in got) == sorted(weights[i, j].item() for i, j in heaviest)


def test_an_arrow_points_from_the_label_that_is_given():
    """Every airplane stands on pavement, and not the reverse: the strong arrow leads from airplane to pavement."""
    labels = torch.tensor([[1, 1], [1, 1], [0, 1], [0, 1], [0, 1]])
    for condition in ("target", "source"):
        ax = drawn(
            draw_graph, cooccurrence_graph(labels, ["airplane", "pavement"], condition_on=condition), max_edges=1
        )
        places = dots(ax).get_offsets().tolist()
        start, end = ([float(x) for x in point] for point in arrows(ax)[0]._posA_posB)
        assert (places.index(start), places.index(end)) == (0, 1)
        assert any("Arrow" in text.get_text() for text in ax.texts)


def test_axes_must_be_axes():
    with pytest.raises(ValueError, match=r"'ax' must be axes .* 'x'"):
        draw_graph(cooccurrence_graph([[1, 1]]), ax="x")


def test_without_axes_a_figure_is_made():
    ax = draw_graph(GRAPHS["counted"])
    assert ax.figure is not None and len(dots(ax).get_offsets()) == 9


def test_more_frequent_labels_have_larger_dots():
    graph = GRAPHS["counted"]
    sizes = dots(drawn(draw_graph, graph)).get_sizes()
    assert np.argsort(sizes).tolist() == graph.count.argsort().tolist() or len(set(graph.count.tolist())) < 9
    assert sizes.argmax() == graph.count.argmax() and sizes.argmin() == graph.count.argmin()


def test_labels_do_not_lie_on_one_another():
    place = dots(drawn(draw_graph, GRAPHS["pruned"])).get_offsets()
    apart = np.linalg.norm(place[:, None] - place[None], axis=2)[~np.eye(9, dtype=bool)]
    assert apart.min() > 0.05 * apart.max()


def test_the_picture_repeats():
    first, second = (dots(drawn(draw_graph, GRAPHS["counted"])).get_offsets() for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_signed_weights_are_drawn_by_their_size():
    graph = cooccurrence_graph(LABELS)
    graph.edge_weight = torch.linspace(-1, 0.5, graph.num_edges)
    assert len(arrows(drawn(draw_graph, graph, max_edges=5))) == 5


@pytest.mark.parametrize("size", [1, 6, 80])
def test_heat_map_has_a_tick_a_label(size):
    names = [f"name {i}" for i in range(size)]
    ax = drawn(lambda matrix, names, ax: draw_heat_map(matrix, names, ax, title="T"), torch.rand(size, size), names)
    assert [tick.get_text() for tick in ax.get_xticklabels()] == names
    assert [tick.get_text() for tick in ax.get_yticklabels()] == names
    assert (ax.get_title(), ax.get_xlabel(), ax.get_ylabel()) == ("T", "target", "source")


@pytest.mark.parametrize(
    ("matrix", "limit", "scale"),
    [
        ([[0.0, 0.5], [0.25, 0.0]], None, (0.0, 0.5)),
        ([[0.0, 0.5], [-2.0, 0.0]], None, (-2.0, 2.0)),
        ([[0.0, 0.5], [0.25, 0.0]], 3.0, (0.0, 3.0)),
        ([[0.0, 0.5], [-0.25, 0.0]], 3.0, (-3.0, 3.0)),
        ([[0.0, 0.0], [0.0, 0.0]], None, (0.0, 1.0)),
    ],
)
def test_heat_map_shows_the_matrix_on_its_scale(matrix, limit, scale):
    ax = Figure().subplots()
    image = draw_heat_map(torch.tensor(matrix, requires_grad=True), ["a", "b"], ax, limit=limit)
    assert image.get_array().tolist() == matrix and image.get_clim() == scale


@pytest.mark.parametrize("size", [1, 2, 3, 9])
def test_an_order_is_a_permutation(size):
    assert sorted(grouped_order(torch.rand(size, size))) == list(range(size))


def test_labels_of_one_group_stand_side_by_side():
    group = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1, 2])
    matrix = (group[:, None] == group[None]).float() + 0.01 * torch.rand(9, 9)
    ordered = group[grouped_order(matrix)].tolist()
    assert [ordered[i : i + 3] for i in (0, 3, 6)] == [[g] * 3 for g in dict.fromkeys(ordered)]


def test_an_order_without_any_edge():
    assert sorted(grouped_order(torch.zeros(5, 5))) == list(range(5))
