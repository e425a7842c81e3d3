"""A site of eight small pictures, whose colours are their labels, with captions; and its server on a free port."""

import base64
import json
import threading
import time
import urllib.error
import urllib.request
from contextlib import closing
from dataclasses import replace
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image

from labelgraph.cli.app_command import build_server, listening, page_address
from labelgraph.encoders import ENCODERS, Encoder, open_picture
from labelgraph.search import Searcher
from tests.search.probable import Probable, pictures

COLOURS = {"bird": "#ff0000", "fish": "#0000ff", "night_sky": "#000000", "tree": "#00ff00"}
HOSTILE = '<img src=x onerror=window.hit=1> & "leaves"'


class Colours(Encoder):
    """Stands for an encoder: which of the four colours a picture has."""

    name = "colours"
    side = "image"
    options: ClassVar[dict] = {}
    channels = 4

    def __init__(self, device="cpu"):
        pass

    def prepare(self, item):
        pixel = np.array(open_picture(item).resize((1, 1)).getpixel((0, 0)))
        shades = [np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) for colour in COLOURS.values()]
        return [float(abs(pixel - shade).sum() < 60) for shade in shades]

    def embed(self, prepared):
        return np.array(prepared, dtype=np.float32)


def drawn(folder):
    """Data with a picture file for each item but the last one, whose id leads out of the folder."""
    data = pictures()
    ids = [f"{place}-{name.replace(' ', '-')}.png" for place, name in enumerate(data.ids)]
    for each, row in zip(ids, data.labels.tolist(), strict=True):
        Image.new("RGB", (60, 40), list(COLOURS.values())[max(i for i, value in enumerate(row) if value)]).save(
            folder / each
        )
    Image.new("RGB", (9, 9)).save(folder.parent / "outside.png")
    titles = [*data.titles]
    titles[3] = HOSTILE
    return replace(data, ids=[*ids[:-1], "../outside.png"], titles=titles)


@pytest.fixture
def drawn_data(tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    return SimpleNamespace(data=drawn(folder), folder=folder)


@pytest.fixture
def searcher(drawn_data, monkeypatch):
    monkeypatch.setitem(ENCODERS, "colours", Colours)
    method = Probable()
    method.encoders = {**method.encoders, "image": {"encoder": "colours"}}
    return Searcher(method).fit(drawn_data.data)


@pytest.fixture
def site(searcher, drawn_data):
    from labelgraph.cli.app.site import Site

    return Site.of(searcher, "small", drawn_data.data, "set.npz", drawn_data.folder)


@pytest.fixture
def picture(tmp_path):
    """A picture file as base64, by its colour."""

    def encode(colour, size=(50, 50)):
        path = tmp_path / "asked.png"
        Image.new("RGB", size, colour).save(path)
        return base64.b64encode(path.read_bytes()).decode()

    return encode


class Client:
    """Asks a server; errors are answers, too."""

    def __init__(self, address):
        self.address = address

    def raw(self, path, body=None, headers=None):
        request = urllib.request.Request(f"{self.address}{path}", body, headers or {})
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                return response.status, response.read(), response.headers
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read(), error.headers

    def get(self, path):
        status, content, _ = self.raw(path)
        return status, json.loads(content)

    def search(self, **asked):
        headers = {"Content-Type": "application/json"}
        status, content, _ = self.raw("api/search", json.dumps(asked).encode(), headers)
        return status, json.loads(content)


@pytest.fixture
def client(site):
    pytest.importorskip("fastapi", reason='needs pip install "labelgraph[app]"')
    pytest.importorskip("uvicorn", reason='needs pip install "labelgraph[app]"')
    with closing(listening("127.0.0.1", 0)) as listener:
        server = build_server(site, "127.0.0.1")
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        end = time.monotonic() + 20
        while not server.started and time.monotonic() < end:
            time.sleep(0.01)
        yield Client(page_address("127.0.0.1", listener))
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive()
