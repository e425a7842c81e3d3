"""The page and the REST endpoints, as a thin layer over `labelgraph.cli.app.finding` and `Site`."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from importlib import resources
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from labelgraph.cli.app.finding import find
from labelgraph.cli.app.schema import MAX_BODY, Collection, LabelNeighbours, Problem, SearchRequest, SearchResponse
from labelgraph.cli.app.site import Site
from labelgraph.cli.common import explain
from labelgraph.version import __version__

PARTS = {"": ("search.html", "text/html"), "search.css": ("search.css", "text/css"),
         "search.js": ("search.js", "text/javascript"),
         "search_labels.js": ("search_labels.js", "text/javascript")}  # fmt: skip
# The page loads nothing from elsewhere, and text of the data cannot become a script.
POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
          "base-uri 'none'; form-action 'none'; frame-ancestors 'none'")  # fmt: skip
PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "The request is not valid."},
    413: {"model": Problem, "description": "The request is too large."},
    501: {"model": Problem, "description": "The encoder of the query needs a package that is not installed."},
}


def create_app(site: Site, hosts: Sequence[str] = ("*",)) -> FastAPI:
    """Return the application, for an ASGI server such as uvicorn.

    Args:
        site: What is searched.
        hosts: Host names under which the server may be asked; others are refused, because a page elsewhere could
            otherwise ask a local server under a name of its own.
    """
    app = FastAPI(
        title="labelgraph app",
        version=__version__,
        summary=f"Search in {site.name}.",
        docs_url=None,  # Its page loads scripts from the network.
        redoc_url=None,
        separate_input_output_schemas=False,
    )
    _add_endpoints(app, site)
    _add_files(app, site)
    _add_problems(app)
    app.add_middleware(SmallBodies)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False)
    return app


def _add_endpoints(app: FastAPI, site: Site) -> None:
    @app.post("/api/search", responses=PROBLEMS, summary="Search", operation_id="search")
    def search(request: SearchRequest) -> SearchResponse:
        return find(site, request)

    @app.get("/api/collection", summary="What can be searched", operation_id="collection")
    def collection() -> Collection:
        return site.collection

    @app.get("/api/neighbours", responses={400: PROBLEMS[400]}, summary="The nearest labels of a label",
             operation_id="neighbours")  # fmt: skip
    def neighbours(label: str) -> LabelNeighbours:
        return site.neighbours(label)

    missing: dict[int | str, dict[str, Any]] = {404: {"model": Problem, "description": "There is no such picture."}}

    @app.get("/pictures/{row}", responses={200: {"content": {"image/jpeg": {}}}, **missing}, response_class=Response,
             summary="A small picture of an item", operation_id="picture")  # fmt: skip
    def picture(row: int) -> Response:
        content = site.pictures.jpeg(row)
        if content is None:
            raise HTTPException(404, "there is no such picture, or it is damaged")
        return _file(content, "image/jpeg", {"Cache-Control": "private, max-age=3600"})


def _add_files(app: FastAPI, site: Site) -> None:
    folder = resources.files("labelgraph.cli.app") / "page"
    content = {name: ((folder / file).read_bytes(), kind) for name, (file, kind) in PARTS.items()}

    @app.get("/", include_in_schema=False)
    def page() -> Response:
        return _file(*content[""], {"Content-Security-Policy": POLICY})

    @app.get("/page/{name}", include_in_schema=False)
    def part(name: str) -> Response:
        if name not in content:
            raise HTTPException(404, "there is no such page")
        return _file(*content[name])

    @app.get("/graph", include_in_schema=False)
    def graph() -> Response:
        drawn = site.graph_page()
        if drawn is None:
            raise HTTPException(404, "there is no label graph; start the app with --data, which has the labels")
        return _file(drawn, "text/html")


def _file(content: bytes, kind: str, headers: dict[str, str] | None = None) -> Response:
    fixed = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-cache"}
    return Response(content, media_type=kind, headers=fixed | (headers or {}))


def _add_problems(app: FastAPI) -> None:
    """Every error is one line as JSON."""

    @app.exception_handler(ValueError)
    def refused(_: Request, error: ValueError) -> Response:
        return _problem(400, explain(error))

    @app.exception_handler(ImportError)
    def not_installed(_: Request, error: ImportError) -> Response:
        return _problem(501, explain(error))

    @app.exception_handler(RequestValidationError)
    def not_valid(_: Request, error: RequestValidationError) -> Response:
        return _problem(400, _validation_line(error))

    @app.exception_handler(HTTPException)
    def by_status(_: Request, error: HTTPException) -> Response:
        return _problem(error.status_code, str(error.detail))

    @app.exception_handler(Exception)
    def failed(_: Request, error: Exception) -> Response:
        print(f"error: {type(error).__name__}: {explain(error)}", file=sys.stderr, flush=True)
        return _problem(500, f"the server failed ({type(error).__name__}); its terminal tells more")


def _validation_line(error: RequestValidationError) -> str:
    """Return the first error of a request, in the words of our other errors."""
    first = error.errors()[0]
    named = [str(part) for part in first["loc"][1:] if not isinstance(part, int)]
    if first["type"] == "json_invalid" or not named:
        return "the request must be a JSON object, with the header Content-Type: application/json"
    if first["type"] == "extra_forbidden":
        return f"{named[-1][:80]!r} is no field of a search; the fields are {', '.join(SearchRequest.model_fields)}"
    return f"{named[0]!r}: " + re.sub(r"^(\w+) should ", lambda found: f"the {found[1].lower()} must ", first["msg"])


def _problem(status: int, line: str) -> JSONResponse:
    return JSONResponse({"error": line}, status)


class SmallBodies:
    """Refuses requests with too large a body while they come, before they fill the memory."""

    def __init__(self, app: ASGIApp, most: int = MAX_BODY) -> None:
        self.app, self.most = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 413, or pass the request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        stated = dict(scope["headers"]).get(b"content-length", b"0")
        too_large = _problem(413, f"a request must have at most {self.most / 1e6:.0f} MB")
        if not stated.isdigit() or int(stated) > self.most:
            await too_large(scope, receive, send)
            return
        size = 0

        async def limited() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self.most:
                raise HTTPException(413, f"a request must have at most {self.most / 1e6:.0f} MB")
            return message

        await self.app(scope, limited, send)
