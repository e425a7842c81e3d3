"""The page and the endpoints over HTTP: schema, limits, hostile requests, ten users."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor

import jsonschema
import pytest

pytestmark = pytest.mark.slow  # A server.

TYPE = {"Content-Type": "application/json"}


def one_line(answer, status, *parts):
    assert answer[0] == status and set(answer[1]) == {"error"}
    line = answer[1]["error"]
    assert "\n" not in line and len(line) < 400 and all(part in line for part in parts), line


def test_answers_follow_the_schema(client, picture):
    status, document = client.get("openapi.json")
    assert status == 200
    for name, answer in {
        "SearchResponse": client.search(text="red caws", k=3)[1],
        "Collection": client.get("api/collection")[1],
        "LabelNeighbours": client.get("api/neighbours?label=bird")[1],
        "Problem": client.search()[1],
    }.items():
        schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
        jsonschema.Draft202012Validator(schema).validate(answer)
        assert set(answer) == set(document["components"]["schemas"][name]["properties"])
    assert set(document["paths"]) == {"/api/search", "/api/collection", "/api/neighbours", "/pictures/{row}"}
    fields = document["components"]["schemas"]["SearchRequest"]["properties"]
    assert all(field["description"] for field in fields.values())


def test_a_search_and_its_pictures(client):
    status, found = client.search(text="caw", k=8)
    assert status == 200 and len(found["results"]) == 8 and found["score"] == "expected Jaccard"
    for each in found["results"]:
        if each["picture"]:
            status, content, headers = client.raw(each["picture"].lstrip("/"))
            assert (status, headers["Content-Type"], content[:2]) == (200, "image/jpeg", b"\xff\xd8")
            assert headers["X-Content-Type-Options"] == "nosniff"
    assert [each["id"] for each in found["results"] if not each["picture"]] == ["../outside.png"]


@pytest.mark.parametrize(
    "path",
    ["pictures/7", "pictures/8", "pictures/-1", "pictures/../setup.cfg", "pictures/..%2f..%2fetc%2fpasswd",
     "pictures/0%00", "pictures/1e3", "page/../server.py", "page/%2e%2e/server.py", "page/search.html%00", "etc/passwd",
     "docs", "redoc", "static/x", "pictures/" + "9" * 500],
)  # fmt: skip
def test_nothing_else_is_served(client, path):
    status, content, _ = client.raw(path)
    one_line((status, json.loads(content)), 400 if status == 400 else 404)


def test_the_page_may_load_nothing_from_elsewhere(client):
    status, _, headers = client.raw("")
    policy = headers["Content-Security-Policy"]
    assert status == 200 and "default-src 'none'" in policy and "http" not in policy and "unsafe" not in policy
    for path in ("", "page/search.css", "page/search.js", "page/search_labels.js"):
        assert b"http://" not in client.raw(path)[1] and b"https://" not in client.raw(path)[1]
    assert client.raw("graph")[1].startswith(b"<!doctype html>")


@pytest.mark.parametrize(
    ("asked", "parts"),
    [
        ({}, ["nothing to search for"]),
        ({"text": ""}, ["nothing to search for"]),
        ({"text": "x" * 100_000}, ["'text'", "10000 characters"]),
        ({"text": 3}, ["'text'", "string"]),
        ({"text": "\ud800"}, ["'text'"]),
        ({"text": "caw", "labels": ["<b>bird</b>"]}, ["<b>bird</b>"]),
        ({"text": "caw", "labels": "bird"}, ["'labels'", "list"]),
        ({"text": "caw", "k": 10**9}, ["'k'", "100"]),
        ({"text": "caw", "within": "all"}, ["'within'", "pictures"]),
        ({"text": "caw", "path": "/etc/passwd"}, ["'path'", "like"]),
        ({"like": "/etc/passwd"}, ["'like'"]),
        ({"picture": "%%%"}, ["'picture'", "base64"]),
        ({"picture": "AAAA"}, ["'picture'", "read"]),
    ],
)
def test_wrong_searches_are_one_line(client, asked, parts):
    one_line(client.search(**asked), 400, *parts)


@pytest.mark.parametrize(
    ("body", "headers"),
    [(b"", TYPE), (b"{", TYPE), (b"[1]", TYPE), (b"\xff", TYPE), (b"null", TYPE), (b"[" * 100_000, TYPE),
     (b'{"text": "caw"}', {"Content-Type": "text/plain"}), (b'{"text": NaN}', TYPE)],
)  # fmt: skip
def test_no_json_is_one_line(client, body, headers):
    status, content, _ = client.raw("api/search", body, headers)
    one_line((status, json.loads(content)), 400)


def test_unknown_labels_have_no_neighbours(client):
    one_line(client.get("api/neighbours?label=%3Cscript%3E"), 400, "<script>")
    one_line(client.get("api/neighbours"), 400, "'label'")


@pytest.mark.parametrize(
    ("error", "status", "parts"),
    [(ImportError("it needs abc: pip install abc"), 501, ["pip install abc"]),
     (OSError(28, "No space left on device", "/secret/path"), 500, ["OSError"]),
     (RuntimeError("of PyTorch,\nin two lines"), 500, ["RuntimeError", "terminal"]),
     (KeyError("x"), 500, ["KeyError"])],
)  # fmt: skip
def test_a_failure_of_the_server_is_one_line(client, site, monkeypatch, error, status, parts, capfd):
    def fails(**_):
        raise error

    monkeypatch.setattr(site.searcher, "search", fails)
    answer = client.search(text="caw")
    one_line(answer, status, *parts)
    assert "secret" not in answer[1]["error"]
    assert capfd.readouterr().err.count("\n") == (status == 500)  # The terminal has one line.
    monkeypatch.undo()
    assert client.raw("")[0] == 200


def exchange(client, head, chunk=b"", times=0):
    host, port = client.address.removeprefix("http://").rstrip("/").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        try:
            connection.sendall(head.replace("\n", "\r\n").encode())
            for _ in range(times):
                connection.sendall(chunk)
        except OSError:  # The server has answered, and closed the connection.
            pass
        answer = b""
        while not answer.endswith(b"}") and (part := connection.recv(10_000)):
            answer += part
        return answer.decode()


def test_too_large_bodies_are_refused_before_they_fill_the_memory(client):
    head = "POST /api/search HTTP/1.1\nHost: localhost\nContent-Type: application/json\n"
    stated = exchange(client, head + "Content-Length: 999999999999\n\n")
    assert "413" in stated.splitlines()[0] and '"error"' in stated
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    assert "413" in exchange(client, head + "Transfer-Encoding: chunked\n\n", chunk, 40).splitlines()[0]
    assert client.search(text="caw")[0] == 200


def test_a_page_elsewhere_cannot_ask_under_a_name_of_its_own(client):
    assert client.raw("api/collection", headers={"Host": "localhost:1"})[0] == 200
    assert client.raw("api/collection", headers={"Host": "evil.example"})[0] == 400
    answer = client.raw("api/search", b'{"text": "caw"}', {**TYPE, "Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in answer[2]


def test_ten_users_at_once_get_the_answers_of_one(client, picture):
    best = client.search(text="caw")[1]["results"][0]["id"]
    requests = [{"text": "caw"}, {"text": "blue", "within": "both"}, {"labels": ["tree"]}, {"text": "zzzzz"},
                {"picture": picture("#0000ff")}, {"like": best}]  # fmt: skip
    alone = [client.search(**each) for each in requests]
    assert [status for status, _ in alone] == [200] * 6

    def user(number):
        order = [(number + step) % len(requests) for step in range(12)]
        shown = [client.raw(f"pictures/{row}")[0] for row in range(7)]
        return shown == [200] * 7 and all(client.search(**requests[place]) == alone[place] for place in order)

    with ThreadPoolExecutor(10) as users:
        assert all(users.map(user, range(10)))
