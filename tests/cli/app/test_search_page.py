"""The page in a browser: words, more like this, labels, reasons, a picture, hostile texts, at two widths.

The tests need Playwright and Chromium; LABELGRAPH_BROWSER_TESTS=1 makes their absence an error. The test of
accessibility needs the file axe.min.js of the npm package axe-core; LABELGRAPH_AXE is its path.
"""

import base64
import os
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # A browser.

WIDTHS = [1280, 420]


@pytest.fixture
def opened(client, browser):
    """Open the page; at the end, check that it asked no other server and that nothing failed."""
    requests, problems, pages = [], [], []

    def open_page(width=1280):
        page = browser.new_page(viewport={"width": width, "height": 800})
        page.set_default_timeout(8000)
        page.on("request", lambda request: requests.append(request.url))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: problems.append(message.text) if "400" not in message.text else None)
        page.goto(client.address)
        page.locator("#side h2").wait_for()
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.close()
    others = ("data:", f"blob:{client.address}", client.address)
    assert [url for url in requests if not url.startswith(others)] == [] and problems == []


def type_words(page, words):
    page.fill("#text", words)
    page.keyboard.press("Enter")
    page.locator("body:not(.busy)").wait_for()


def titles(page):
    return page.locator(".result .title").all_text_contents()


def heading(page, part):
    """Wait until the line above the results has a text."""
    page.locator(f"#asked:has-text({part!r})").wait_for()


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
def test_words_then_more_like_this_then_a_label(opened, site, width):
    page = opened(width)
    assert page.text_content("#name") == "small: 8 pictures, 8 texts"
    assert page.is_visible("#hint")
    type_words(page, "caws")
    heading(page, "8 results for 'caws', by expected Jaccard")
    assert titles(page) == site.searcher.search(text=["caw"], k=8).titles[0]
    assert "'caw'" in page.text_content("#notes")
    assert page.locator(".result img").first.evaluate("(image) => image.decode().then(() => image.naturalWidth)") == 60
    first = page.locator(".result").first
    first.get_by_role("button", name="Why").click()
    assert (
        "bird" in first.locator(".why").text_content()
        and "85\u00a0%, 90\u00a0%" in first.locator(".why").text_content()
    )

    item = next(each for each in site.items if each.title == titles(page)[0])
    first.get_by_role("button", name="More like this").click()
    heading(page, "7 results for items like")
    assert titles(page) == site.searcher.search(like=[item.id], k=8).titles[0] and item.title not in titles(page)

    page.fill("#label", "FISH")
    page.keyboard.press("Enter")
    heading(page, "2 results for items like")
    assert page.text_content("#side h2") == "fish"
    assert page.locator("#side tr").nth(1).locator("td").all_text_contents() == ["bird", "50\u00a0%", "20\u00a0%"]
    page.locator(".chip", has_text="fish").click()
    heading(page, "7 results for items like")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_texts_are_shown_without_pictures(opened):
    page = opened()
    page.check("[value=texts]")
    type_words(page, "caw")
    heading(page, "8 results")
    assert page.locator(".result .frame").first.is_hidden() and "caw" in titles(page)[0]
    page.check("[value=pictures]")
    page.locator(".result .frame >> visible=true").first.wait_for()


def test_html_in_captions_labels_and_queries_is_text(opened, site):
    page, hostile = opened(), site.data.titles[3]
    assert hostile.startswith("<img")
    type_words(page, f"green {hostile}")
    heading(page, "8 results for")
    assert hostile in titles(page) and "<img" in page.text_content("#asked")
    page.locator(".result", has_text="onerror").get_by_role("button", name="More like this").click()
    heading(page, "onerror")
    page.fill("#label", hostile)
    page.keyboard.press("Enter")
    assert "There is no label" in page.text_content("#notes .error") and "<img" in page.text_content("#notes")
    assert page.evaluate("window.hit") is None and page.locator("img[src=x]").count() == 0


def test_errors_and_empty_answers_are_plain_lines(opened, client):
    page = opened()
    type_words(page, "")
    assert "nothing to search for" in page.text_content("#notes .error")
    type_words(page, "zzzzz")
    assert "knows no word" in page.text_content("#notes") and titles(page) == []
    page.locator("#text").evaluate("(field) => { field.removeAttribute('maxlength'); field.value = 'x'.repeat(1e5) }")
    page.keyboard.press("Enter")
    page.locator("#notes .error:has-text('10000')").wait_for()


def test_a_picture_is_chosen_or_dropped(opened, picture, site):
    page = opened()
    content = base64.b64decode(picture("#0000ff"))
    page.set_input_files("#file", {"name": "a.png", "mimeType": "image/png", "buffer": content})
    heading(page, "results for the picture")
    assert titles(page)[0] == "a blue fin" and page.locator("#asked img").count() == 1
    page.get_by_role("button", name="Clear").click()
    assert titles(page) == []
    drop = """([bytes, name]) => {
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(bytes)], name, { type: 'image/png' }));
        document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
    }"""
    page.evaluate(drop, [list(base64.b64decode(picture("#00ff00"))), "b.png"])
    heading(page, "results for the picture")
    assert site.data.titles[3] in titles(page)[:2]
    page.evaluate(drop, [[1, 2, 3], "c.png"])
    page.locator("#notes .error:has-text('picture that can be read')").wait_for()


def test_the_server_is_gone(opened, client):
    page = opened()
    page.route("**/api/search", lambda route: route.fulfill(status=200, body="no JSON"))
    type_words(page, "caw")
    assert "does not answer" in page.text_content("#notes .error")


@pytest.mark.parametrize("width", WIDTHS)
def test_accessibility(opened, width):
    axe = os.environ.get("LABELGRAPH_AXE")
    if not axe:
        pytest.skip("LABELGRAPH_AXE is not set to the path of axe.min.js: accessibility is NOT checked")
    page = opened(width)
    for prepare in (lambda: None, lambda: type_words(page, "caws"), lambda: page.locator(".ask").first.click(),
                    lambda: page.locator(".why .link").first.click()):  # fmt: skip
        prepare()
        page.wait_for_timeout(300)
        page.evaluate(Path(axe).read_text(encoding="utf-8"))
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] == []
