"""The page of a label graph: its text, and in a browser its search, clicks, limits and keys.

The tests of the browser need Playwright and Chromium; LABELGRAPH_BROWSER_TESTS=1 makes their absence an error. The test
of accessibility needs the file axe.min.js of the npm package axe-core; LABELGRAPH_AXE is its path.
"""

import io
import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from labelgraph.graph import PMI, cooccurrence_graph, meaning_graph
from labelgraph.nn import dense_adjacency
from labelgraph.report import graph_to_html

pytestmark = pytest.mark.slow  # A browser.

NAMES = ["airplane", "pavement", "sky", "bird", "tree", "leaf", "cat", "car", "house", "lonely"]
LABELS = (np.random.default_rng(3).random((120, 10)) < np.linspace(0.5, 0.1, 10)).astype(int)
LABELS[:, 1] |= LABELS[:, 0]  # Every airplane stands on pavement.
LABELS[:, 9] = 0
TOGETHER, COUNTS = LABELS.T @ LABELS, LABELS.sum(0)
HOSTILE = [
    "</script><img src=x onerror=window.hit=1>", "<b>bold</b>", "{{content}}", "\u2028line\\", "\"'`${1+1}", "été 🦉",
    "https://example.com/x.png",
]  # fmt: skip


def small_page(**options):
    graph = cooccurrence_graph(LABELS, NAMES)
    vectors = np.random.default_rng(0).normal(size=(10, 6))
    picture = Image.new("RGB", (40, 40), "red")
    return graph_to_html(
        graph, meaning=meaning_graph(NAMES, vectors, 3), pictures={"cat": [picture] * 2}, title="A & B", **options
    )


def search(page, text, *keys):
    page.fill("#search", "")
    page.locator("#search").press_sequentially(text)
    for key in keys:
        page.keyboard.press(key)


def panel_title(page):
    return page.text_content("#panel h2")


def set_slider(page, value):
    page.locator("#threshold").evaluate(
        "(slider, to) => { slider.value = to; slider.dispatchEvent(new Event('input')) }", value
    )


def drawn_pairs(page):
    """The names of the two labels of each drawn line, and its arrowheads."""
    read = "(e) => [e.source().data('name'), e.target().data('name'), e.data('forward'), e.data('backward')]"
    return page.evaluate(f"view.cy.edges().map({read})")


def bright(page):
    return set(page.evaluate("view.cy.nodes().filter((n) => !n.hasClass('faded')).map((n) => n.data('name'))"))


def test_the_text_is_one_file_that_loads_nothing():
    text = small_page()
    assert text.startswith("<!doctype html>") and "<title>A &amp; B</title>" in text
    assert "default-src 'none'" in text and "The Cytoscape Consortium" in text
    assert 'src="http' not in text and "<link" not in text and "@import" not in text
    assert text.count("</script>") == 3


def test_names_cannot_end_the_script():
    text = graph_to_html(cooccurrence_graph(np.ones((2, len(HOSTILE))), HOSTILE), title="</title><script>")
    assert text.count("</script>") == 3 and "<img src=x" not in text and "<title>&lt;/title" in text


def test_a_notebook_shows_the_page_in_a_frame():
    page = small_page()
    shown = page._repr_html_()
    assert repr(page) == f"HtmlPage({len(page):,} characters)"
    assert shown.startswith("<iframe") and "<script" not in shown and "&lt;script" in shown


@pytest.mark.parametrize("most", [0, -1, 1.5])
def test_a_wrong_number_of_labels_is_an_error(most):
    with pytest.raises(ValueError, match="'max_labels'"):
        graph_to_html(cooccurrence_graph([[1, 1]]), max_labels=most)


def test_the_overview(opened):
    page = opened(small_page())
    assert panel_title(page) == "10 labels"
    assert "120 items" in page.text_content("#panel")
    assert page.evaluate("view.cy.nodes().length") == 10
    named = page.locator("#panel h3:has-text('Most frequent') + .list .entry").all_text_contents()
    counts = [int(text.lstrip("abcdefghijklmnopqrstuvwxyz")) for text in named]
    assert counts == sorted(COUNTS, reverse=True)


def test_search_with_the_keyboard_shows_the_neighbours(opened):
    page = opened(small_page())
    search(page, "a")
    options = page.locator("#suggestions li b").all_text_contents()
    assert set(options) == {name for name in NAMES if "a" in name} and options[0] == "airplane"
    page.keyboard.press("ArrowDown")
    second = page.locator("#suggestions [aria-selected=true] b").text_content()
    assert second == options[1]
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    assert panel_title(page) == "airplane" and page.locator("#suggestions").is_hidden()
    rows = [row.locator("td").all_text_contents() for row in page.locator("#panel tbody tr").all()]
    assert rows[0][0] == "pavement" and len(rows) == (TOGETHER[0, 1:] > 0).sum()
    for name, to, back, items in rows:
        other = NAMES.index(name)
        assert int(items) == TOGETHER[0, other]
        assert float(to.rstrip(" %")) == pytest.approx(100 * TOGETHER[0, other] / COUNTS[0], abs=0.51)
        assert float(back.rstrip(" %")) == pytest.approx(100 * TOGETHER[0, other] / COUNTS[other], abs=0.51)
    page.keyboard.press("Escape")
    assert panel_title(page) == "10 labels" and bright(page) == set(NAMES)


def test_a_search_without_a_result_says_so(opened):
    page = opened(small_page())
    search(page, "zebra", "Enter")
    assert "No label" in page.text_content("#suggestions") and panel_title(page) == "10 labels"


def test_a_click_fades_the_other_labels(opened):
    page = opened(small_page())
    set_slider(page, 0.6)
    place = page.evaluate("view.cy.nodes().filter((n) => n.data('name') === 'car').renderedPosition()")
    corner = page.locator("#graph").bounding_box()
    page.mouse.move(corner["x"] + place["x"], corner["y"] + place["y"])
    assert "car" in page.text_content("#hover strong") and f"{COUNTS[7]} items of 120" in page.text_content("#hover")
    page.mouse.click(corner["x"] + place["x"], corner["y"] + place["y"])
    assert panel_title(page) == "car"
    likely = {
        NAMES[i]
        for i in range(10)
        if i != 7 and max(TOGETHER[i, 7] / COUNTS[7], TOGETHER[i, 7] / max(COUNTS[i], 1)) >= 0.6
    }
    assert {"car"} | likely <= bright(page) and len(bright(page)) < 10
    page.locator("#panel tbody button").first.click()
    assert panel_title(page) != "car"
    page.click("text=Show all")
    assert bright(page) == set(NAMES)


@pytest.mark.parametrize("least", [0.0, 0.4, 1.0])
def test_the_slider_keeps_the_likely_pairs_and_arrows_point_from_the_given_label(opened, least):
    page = opened(small_page())
    page.select_option("#together", "1")
    set_slider(page, least)
    share = TOGETHER / np.maximum(COUNTS, 1)[:, None]  # P(column | row).
    expected = {(i, j) for i in range(10) for j in range(10) if i != j and share[i, j] >= least and share[i, j] > 0}
    arrows = set()
    for source, target, forward, backward in drawn_pairs(page):
        i, j = NAMES.index(source), NAMES.index(target)
        arrows |= {(i, j)} if forward == "triangle" else set()
        arrows |= {(j, i)} if backward == "triangle" else set()
    assert arrows == expected and (0, 1) in arrows and ((1, 0) in arrows) == (least < 1)
    assert page.text_content("#threshold-value") == f"{round(100 * least)} %"
    assert page.text_content("#state").split()[0] == str(len({frozenset(pair) for pair in expected}))


def test_pairs_of_few_items_can_be_left_out(opened):
    page = opened(small_page())
    set_slider(page, 0)
    page.select_option("#together", "10")
    assert len(drawn_pairs(page)) == (np.triu(TOGETHER, 1) >= 10).sum() > 0


def test_edges_of_similar_names(opened):
    page = opened(small_page())
    page.check("input[value=meaning]")
    set_slider(page, 0)
    assert page.locator("#together-box").is_hidden()
    assert all(forward == backward == "none" for *_, forward, backward in drawn_pairs(page))
    graph = meaning_graph(NAMES, np.random.default_rng(0).normal(size=(10, 6)), 3)
    pairs = {frozenset(pair) for pair in graph.edge_index.T.tolist()}
    assert {frozenset(map(NAMES.index, ends[:2])) for ends in drawn_pairs(page)} == pairs
    search(page, "tree", "Enter")
    assert "similarity" in page.text_content("#panel thead")
    page.check("input[value=together]")
    assert panel_title(page) == "tree" and "items" in page.text_content("#panel thead")


def test_weights_without_a_direction_have_no_arrows(opened):
    graph = PMI()(cooccurrence_graph(LABELS, NAMES))
    page = opened(graph_to_html(graph))
    set_slider(page, 0)
    assert {heads for *_, forward, backward in drawn_pairs(page) for heads in (forward, backward)} == {"none"}
    search(page, "airplane", "Enter")
    rows = [row.locator("td").all_text_contents() for row in page.locator("#panel tbody tr").all()]
    weights = dense_adjacency(graph.edge_index, graph.edge_weight, 10)[0]
    assert {name: float(weight) for name, weight, _ in rows} == {
        NAMES[i]: pytest.approx(weights[i].item(), abs=0.006) for i in weights.nonzero().flatten().tolist()
    }


def test_long_names_are_cut_in_the_drawing_only(opened):
    names = [f"a name that is much too long for a drawing {i}" for i in range(3)]
    page = opened(graph_to_html(cooccurrence_graph([[1, 1, 1], [1, 0, 1]], names)))
    shown = page.evaluate("view.cy.nodes().filter((n) => n.hasClass('named')).map((n) => n.style('label'))")
    assert shown == ["a name that is much too…"] * 3
    search(page, "drawing 2", "Enter")
    assert panel_title(page) == names[2]


def test_pictures_of_a_label(opened):
    page = opened(small_page())
    search(page, "cat", "Enter")
    pictures = page.locator("#panel img")
    assert pictures.count() == 2 and pictures.first.evaluate("(img) => img.naturalWidth") > 0
    search(page, "car", "Enter")
    assert page.locator("#panel img").count() == 0


def test_keys_lead_through_the_lists(opened):
    page = opened(small_page())
    search(page, "airplane", "Enter")
    buttons = page.locator("#panel tbody button")
    buttons.first.focus()
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.textContent") == buttons.nth(1).text_content()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    assert panel_title(page) == "pavement"
    page.keyboard.press("Escape")
    assert panel_title(page) == "10 labels"


def test_a_group_lights_its_labels(opened):
    page = opened(small_page())
    first = page.locator("#groups button").first
    size = int(first.locator(".number").text_content())
    first.focus()
    page.keyboard.press("Enter")
    assert len(bright(page)) == size < 10
    assert page.locator("#groups button").first.get_attribute("aria-pressed") == "true"


def test_labels_that_are_not_drawn_are_found(opened):
    page = opened(small_page(max_labels=4))
    assert "4 most frequent of 10 labels" in page.text_content("#hidden-labels")
    assert page.evaluate("view.cy.nodes().length") == 4
    search(page, "house")
    assert "not drawn" in page.text_content("#suggestions li span")
    page.keyboard.press("Enter")
    assert panel_title(page) == "house" and "not among the 4 labels" in page.text_content("#panel .note")
    assert page.locator("#panel tbody tr").count() == (np.delete(TOGETHER[8], 8) > 0).sum()


def test_the_page_tells_of_pairs_that_it_leaves_out(opened, monkeypatch):
    monkeypatch.setattr("labelgraph.report.page_content.MAX_PAIRS", 0)
    monkeypatch.setattr("labelgraph.report.page_content.LEAST_NEIGHBOURS", 2)
    page = opened(small_page())
    linked = (np.triu(TOGETHER, 1) > 0).sum()
    stored, of = re.search(r"(\d+) of (\d+) linked pairs", page.text_content("#stored")).groups()
    assert int(stored) < int(of) == linked
    search(page, "sky", "Enter")
    assert "The strongest" in page.text_content("#panel h3")


def test_hostile_names_are_only_text(opened):
    page = opened(graph_to_html(cooccurrence_graph(np.ones((2, len(HOSTILE))), HOSTILE), title="<i>T</i>"))
    assert page.text_content("h1") == "<i>T</i>"
    for name in HOSTILE:
        page.fill("#search", name)
        page.keyboard.press("Enter")
        assert panel_title(page) == name
        others = page.locator("#panel tbody button").all_text_contents()
        assert sorted(others) == sorted(set(HOSTILE) - {name})
    assert page.evaluate("window.hit") is None and page.locator("img, b:has-text('bold') b").count() == 0


@pytest.mark.parametrize("labels", [[[0]], [[1]], [[1, 0], [0, 1]]], ids=["never", "one", "no edges"])
def test_small_graphs(opened, labels):
    page = opened(graph_to_html(cooccurrence_graph(labels)))
    assert panel_title(page) == ("1 label" if len(labels[0]) == 1 else "2 labels")
    search(page, "label 0", "Enter")
    assert "no neighbours" in page.text_content("#panel")


@pytest.mark.parametrize("width", [1280, 420])
def test_the_page_fits_its_window(opened, width):
    page = opened(small_page(), width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    box = page.locator("#graph").bounding_box()
    assert box["width"] >= 0.6 * width and box["height"] >= 340
    for selector in ("#search", "#threshold", "#together", "#zoom-fit"):
        part = page.locator(selector).bounding_box()
        assert part["x"] >= 0 and part["x"] + part["width"] <= width
    fits = (
        "view.cy.nodes().every((n) => { const p = n.renderedPosition(); return p.x > 0 && p.x < view.cy.width() - 58 }"
    )
    assert page.evaluate(f"{fits})")
    picture = Image.open(io.BytesIO(page.locator("#graph").screenshot())).convert("RGB")
    colours = {colour for count, colour in picture.getcolors(1 << 24) if count > 40}
    assert (59, 111, 182) in colours, "dots of the first group are drawn"


@pytest.mark.parametrize("width", [1280, 420])
def test_accessibility(opened, width):
    axe = os.environ.get("LABELGRAPH_AXE")
    if not axe:
        pytest.skip("LABELGRAPH_AXE is not set to the path of axe.min.js: accessibility is NOT checked")
    page = opened(small_page(max_labels=8), width)
    for prepare in (lambda: None, lambda: search(page, "a"), lambda: page.keyboard.press("Enter")):
        prepare()
        page.evaluate(Path(axe).read_text(encoding="utf-8"))
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] == []
