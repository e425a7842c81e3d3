"""A page in the browser."""

import pytest


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
