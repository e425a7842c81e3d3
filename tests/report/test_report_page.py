"""A report as a page: its text, and in a browser its sorting and its widths; see test_graph_page.py for the browser."""

import base64
import io
import os
import re
from pathlib import Path

import pytest
from PIL import Image

from labelgraph.report import markdown_table, report_to_html

METHODS = ["random", "ridge", "new, 10 bits", "new, 9 bits", "cca"]
COLUMNS = {
    "mAP": ["0.136", "0.731", "**0.802 ± 0.100**", "-", "0.9 ± 0.002"],
    "difference": ["-0.010", "own", "+0.200", "\u22120.500", "0.000"],
    "parameters": ["-", "1,112", "16,045,419", "999", "nan"],
    "training": ["0.0 s", "95.7 s", "117.1 s", "9.5 s", "-"],
}
TABLE = markdown_table(
    ["method", *COLUMNS], [list(row) for row in zip(METHODS, *COLUMNS.values(), strict=True)]
)  # fmt: skip
HOSTILE = [
    "<script>window.hit=1</script>", "</table><img src=x onerror=window.hit=1>", "{{script}}", "[a](javascript:hit)",
    "<!-- comment", "& &lt;",
]  # fmt: skip


def picture_bytes(size=(40, 20), colour="red"):
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "run" / "plots").mkdir(parents=True)
    (tmp_path / "run" / "plots" / "a b.png").write_bytes(picture_bytes())
    (tmp_path / "outside.png").write_bytes(picture_bytes())
    return tmp_path / "run"


def column(page, place, table=0):
    cells = page.locator("table").nth(table).locator(f"tbody td:nth-child({place + 1})")
    return cells.all_text_contents()


def test_the_text_is_one_file_with_tables_and_code(folder):
    text = report_to_html(f"# A & B on *x*\n\n{TABLE}\n\n```yaml\na: <b>\n```\n\n## One", folder)
    assert text.startswith("<!doctype html>") and "<title>A &amp; B on x</title>" in text
    assert "default-src 'none'" in text and 'src="http' not in text and "<link" not in text and "@import" not in text
    assert text.count("<table>") == 1 and text.count("<tr>") == 1 + len(METHODS)
    assert ">random</td>" in text and "<strong>0.802 ± 0.100</strong>" in text and "a: &lt;b&gt;" in text
    assert text.count("</script>") == 1 and "<nav" not in text


def test_html_in_a_report_is_only_text(folder):
    rows = "\n\n".join(HOSTILE)
    text = report_to_html(
        f"# </title><b>\n\n{rows}\n\n{markdown_table(['label'], [[name] for name in HOSTILE])}", folder
    )
    assert text.count("</script>") == 1 and text.count("</table>") == 1 and text.count("</title>") == 1
    assert "<img" not in text and "<!-- comment" not in text and 'href="javascript' not in text
    assert text.count("&lt;script&gt;window.hit=1&lt;/script&gt;") == 2 and text.count("{{script}}") == 2
    assert "<title>&lt;/title&gt;&lt;b&gt;</title>" in text


def test_pictures_of_the_folder_are_embedded(folder):
    text = report_to_html('![The "loss"](<plots/a b.png>)', folder)
    kind, data = re.search(r'<img src="data:([^;]*);base64,([^"]*)"', text).groups()
    assert kind == "image/png" and base64.b64decode(data) == picture_bytes()
    assert 'alt="The &quot;loss&quot;"' in text


@pytest.mark.parametrize(
    "source",
    ["plots/absent.png", "../outside.png", "https://example.com/x.png", "config.yaml", "plots", "", "%00.png",
     "x" * 5000 + ".png", "data:image/png;base64,AAAA"],
)  # fmt: skip
def test_a_picture_that_is_not_there_is_its_alternative_text(folder, source):
    (folder / "config.yaml").write_text("secret")
    text = report_to_html(f"Before ![loss *of* <b>]({source}) after", folder)
    assert "<p>Before loss of &lt;b&gt; after</p>" in text and "<img" not in text and "secret" not in text


def test_links_lead_to_the_pages_of_other_reports(folder):
    for name in ("with", "without"):
        (folder / name).mkdir()
        (folder / name / "report.md").write_text("# A")
    (folder / "with" / "report.html").write_text("")
    text = report_to_html("[a](with/report.md) [b](without/report.md) [c](https://example.com/report.md)", folder)
    links = re.findall(r'<a href="([^"]*)"', text)
    assert links == ["with/report.html", "without/report.md", "https://example.com/report.md"]


def test_a_long_report_lists_its_sections(folder):
    text = report_to_html("# T\n\n## A <b>\n\ntext\n\n## B\n\n### no\n\n## `C`", folder)
    links = re.findall(r'<li><a href="#([^"]*)">([^/]*)</a>', text)
    assert [heading for _, heading in links] == ["A &lt;b&gt;", "B", "C"]
    assert [re.search(rf'<h2 id="{name}">(?:<code>)?(\w)', text)[1] for name, _ in links] == ["A", "B", "C"]


def test_a_click_sorts_a_column_and_missing_values_come_last(opened, folder):
    page = opened(report_to_html(TABLE, folder))
    expected = {
        "mAP": ["0.9 ± 0.002", "0.802 ± 0.100", "0.731", "0.136", "-"],
        "difference": ["+0.200", "0.000", "-0.010", "\u22120.500", "own"],
        "parameters": ["16,045,419", "1,112", "999", "-", "nan"],
        "training": ["117.1 s", "95.7 s", "9.5 s", "0.0 s", "-"],
    }
    for place, (name, values) in enumerate(expected.items(), 1):
        header = page.locator("th").nth(place)
        missing = [value for value in values if value in ("-", "nan", "own")]
        present = [value for value in values if value not in missing]
        header.locator("button").click()
        shown = column(page, place)
        assert shown[: len(present)] == present and sorted(shown) == sorted(values), name
        assert header.get_attribute("aria-sort") == "descending"
        header.locator("button").click()
        shown = column(page, place)
        assert shown[: len(present)] == present[::-1] and sorted(shown) == sorted(values), name
        assert header.get_attribute("aria-sort") == "ascending"
        assert page.locator("th[aria-sort]").count() == 1
    whole = {tuple(row.locator("td").all_text_contents()) for row in page.locator("tbody tr").all()}
    plain = [[cell.strip("*") for cell in row] for row in zip(METHODS, *COLUMNS.values(), strict=True)]
    assert whole == set(map(tuple, plain)), "rows stay together"


def test_the_keyboard_sorts_a_column(opened, folder):
    numbers = markdown_table(["hops", "x"], [["10", "1"], ["2", "2"], ["0.5", "3"], ["0.25", "3"]])
    page = opened(report_to_html(f"{TABLE}\n\n{numbers}", folder))
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('th').cellIndex") == 0
    style = "getComputedStyle(document.activeElement)"
    assert page.evaluate(f"{style}.outlineStyle") == "solid" and page.evaluate(f"{style}.outlineWidth") == "3px"
    page.keyboard.press("Enter")
    assert column(page, 0) == ["cca", "new, 9 bits", "new, 10 bits", "random", "ridge"]
    page.keyboard.press("Space")
    assert column(page, 0) == ["ridge", "random", "new, 10 bits", "new, 9 bits", "cca"]
    assert page.evaluate("document.activeElement.closest('th').getAttribute('aria-sort')") == "descending"
    for _ in range(1 + len(COLUMNS)):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert column(page, 0, table=1) == ["10", "2", "0.5", "0.25"]
    assert page.locator("table").first.locator("[aria-sort]").count() == 1, "each table has its own order"


def test_hostile_names_run_nothing(opened, folder):
    rows = [[name.replace("|", ""), "1"] for name in HOSTILE]
    page = opened(report_to_html("\n\n".join([*HOSTILE, markdown_table(["label", "n"], rows)]), folder))
    page.locator("th button").first.click()
    assert page.evaluate("window.hit") is None and page.locator("img").count() == 0


@pytest.mark.parametrize("width", [1280, 420])
def test_the_page_fits_its_window_and_wide_tables_scroll(opened, folder, width):
    names = [f"measure {i}" for i in range(20)]
    wide = markdown_table(["method", *names], [["expected-relevance", *["0.802 ± 0.002"] * 20]] * 60)
    (folder / "plots" / "big.png").write_bytes(picture_bytes((2000, 300), "blue"))
    page = opened(
        report_to_html(f"# T\n\n{'x' * 300}\n\n![p](plots/big.png)\n\n{wide}\n\n    {'y' * 300}", folder), width
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    scroll = page.locator(".wide")
    assert scroll.evaluate("(e) => e.scrollWidth > e.clientWidth && e.clientHeight < innerHeight")
    scroll.evaluate("(e) => e.scrollTo(300, 400)")
    corner, first = scroll.bounding_box(), page.locator("th").first.bounding_box()
    assert (first["x"], first["y"]) == pytest.approx((corner["x"], corner["y"]), abs=1), "the first header stays"
    assert page.locator("td").first.bounding_box()["x"] == pytest.approx(corner["x"], abs=1)
    screenshot = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
    assert screenshot.width == width
    colours = {colour: count for count, colour in screenshot.getcolors(1 << 24)}
    assert colours[(255, 255, 255)] > 0.4 * screenshot.width * screenshot.height and colours[(0, 0, 255)] > 10_000


def test_a_printed_page_has_the_whole_table(opened, folder):
    page = opened(report_to_html(markdown_table(["n"], [[str(i)] for i in range(100)]), folder))
    page.emulate_media(media="print")
    assert page.locator(".wide").evaluate("(e) => e.scrollHeight == e.clientHeight && e.clientHeight > innerHeight")


@pytest.mark.parametrize("width", [1280, 420])
def test_accessibility(opened, folder, width):
    axe = os.environ.get("LABELGRAPH_AXE")
    if not axe:
        pytest.skip("LABELGRAPH_AXE is not set to the path of axe.min.js: accessibility is NOT checked")
    one_row = markdown_table([f"measure {i}" for i in range(30)], [["0.802 ± 0.002"] * 30])
    report = f"# T\n\n## A\n\n![p](<plots/a b.png>)\n\n## B\n\n{TABLE}\n\n## C\n\n```\ncode\n```\n\n{one_row}"
    page = opened(report_to_html(report, folder), width)
    page.locator("th button").nth(1).click()
    page.evaluate(Path(axe).read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] == []
