"""A browser for the tests of pages."""

import os
import shutil

import pytest


def browser_path():
    known = ("chromium", "chromium-browser", "google-chrome")
    return os.environ.get("LABELGRAPH_BROWSER") or next(filter(None, map(shutil.which, known)), None)


def skip_or_fail(reason):
    if os.environ.get("LABELGRAPH_BROWSER_TESTS") == "1":
        pytest.fail(f"LABELGRAPH_BROWSER_TESTS=1, but {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="module")
def browser():
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        skip_or_fail('Playwright is not installed: pip install "labelgraph[browser]"')
    path = browser_path()
    if path is None:
        skip_or_fail("no Chromium was found; install it or set LABELGRAPH_BROWSER to its path")
    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser, tmp_path):
    """Open a page; at the end, check that it asked for nothing else and that nothing failed."""
    file, requests, problems = tmp_path / "graph.html", [], []

    def open_page(text, width=1280, height=800):
        file.write_text(text, encoding="utf-8")
        page = browser.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(5000)
        page.on("request", lambda request: requests.append(request.url))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: problems.append(message.text) if message.type != "log" else None)
        page.goto(file.as_uri())
        pages.append(page)
        return page

    pages = []
    yield open_page
    for page in pages:
        page.close()
    assert [url for url in requests if not url.startswith("data:")] == [file.as_uri()] * len(pages)
    assert problems == []
