"""Search on a page in the browser, and by REST, on this computer.

Examples:
  labelgraph app my-index --data my-data.npz             # with the pictures beside the data
  labelgraph app my-model --data openclipart
  labelgraph app my-index --pictures my-pictures --port 9000

The page searches pictures and texts by words, by a dropped picture, by labels, and by a result ("more like this"). It
says why each result came, and shows which labels occur together. MODEL_OR_INDEX is an index of `labelgraph index`, or a
model, which needs --data. Pictures are shown if the ids of the items are paths of picture files.

Programs ask the same by POST /api/search, in JSON; the schema is at /openapi.json. The server answers only this
computer unless --host says otherwise; it has no passwords. It needs: pip install "labelgraph[app]"
"""

from __future__ import annotations

import argparse
import errno
import ipaddress
import os
import socket
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelgraph._core.signals import advising
from labelgraph.cli.common import Parser, add_command, note, print_json
from labelgraph.cli.inputs import DATA_HELP, add_revision, check_folder, check_place, model_place, open_searcher
from labelgraph.data.named_sets import check_dataset

if TYPE_CHECKING:
    from labelgraph.cli.app.site import Site

LOCAL, PORT = "127.0.0.1", 8642
NEEDED = ("fastapi", "uvicorn", "PIL")


def add_parser(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command."""
    command = add_command(commands, "app", __doc__ or "", run)
    command.add_argument("place", metavar="MODEL_OR_INDEX", type=model_place, help="folder of an index, or of a "
                         "model, lance:PATH or milvus:URI for a store, or hf://USER/MODEL for a model on the Hugging "
                         "Face Hub")  # fmt: skip
    command.add_argument("--data", metavar="DATA", help=f"{DATA_HELP}. It has the labels of the label graph; for a "
                         "model, also the items to search")  # fmt: skip
    command.add_argument("--pictures", metavar="FOLDER", type=Path, help="folder of the picture files (default: the "
                         "folder of the data, then the working directory)")  # fmt: skip
    command.add_argument("--host", metavar="ADDRESS", default=LOCAL, help="address to answer on; 0.0.0.0 answers the "
                         f"whole network (default: {LOCAL}, this computer only)")  # fmt: skip
    command.add_argument("--port", metavar="N", type=int, default=PORT, help=f"port to answer on; 0 takes a free one "
                         f"(default: {PORT})")  # fmt: skip
    add_revision(command)


def run(options: argparse.Namespace) -> None:
    """Serve the page until Ctrl-C."""
    _check(options)
    with listening(options.host, options.port) as listener:
        site = _site(options)
        if not len(site.pictures):
            advice = "--pictures FOLDER names their folder, --data openclipart has those of the bundled set"
            note(f"the page shows no pictures, because no id is the path of a picture file; {advice}")
        if not _is_local(options.host):
            note(f"--host {options.host}: anyone who reaches this computer can search; there are no passwords")
        address = page_address(options.host, listener)
        if options.json:
            print_json({"url": address, "schema": f"{address}openapi.json"})
            sys.stdout.flush()
        else:
            print(f"open {address} (Ctrl-C ends)", flush=True)
        with advising("the page is closed"):
            _serve(site, options.host, listener)


def _check(options: argparse.Namespace) -> None:
    """Check the options, before slow modules are imported."""
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise ImportError(f'{missing[0]} is not installed; install it by pip install "labelgraph[app]"')
    if not 0 <= options.port < 2**16:
        raise ValueError(f"'--port' must be in [0, 65535] (got {options.port})")
    check_place(options, options.place, "folder of an index or a model")
    if options.data:
        check_dataset(options.data)
    if options.pictures:
        check_folder(options.pictures, "folder of pictures")


def _site(options: argparse.Namespace) -> Site:
    from labelgraph.cli.app.site import Site

    searcher, data = open_searcher(options.place, options.data, options.revision)
    name = options.place.resolve().name if isinstance(options.place, Path) else options.place
    return Site.of(searcher, name, data, options.data, options.pictures)


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens on an address.

    Raises:
        ValueError: If the port is in use or not permitted, or the host is no address of this computer.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            reason = f"'--port' must be free (got {port}, which is in use); --port 0 takes a free one"
        elif error.errno == errno.EACCES:
            reason = f"'--port' must be permitted (got {port}); ports from 1024 on are"
        else:
            reason = f"'--host' must be an address of this computer (got {host!r}: {error.strerror})"
        raise ValueError(reason) from None


def page_address(host: str, listener: socket.socket) -> str:
    """Return the address of the page in a browser on this computer."""
    port = listener.getsockname()[1]
    shown = {"0.0.0.0": LOCAL, "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{port}/"


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def build_server(site: Site, host: str) -> Any:
    """Return uvicorn's server of the page; ``run(sockets=[listener])`` serves, ``should_exit`` ends it."""
    import uvicorn

    from labelgraph.cli.app.server import create_app

    hosts = ["localhost", "127.0.0.1", "[::1]", host] if _is_local(host) else ["*"]
    config = uvicorn.Config(
        create_app(site, hosts),
        log_level="error" if os.environ.get("LABELGRAPH_TRACEBACK") else "critical",
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=2,
    )
    return uvicorn.Server(config)


def _serve(site: Site, host: str, listener: socket.socket) -> None:
    build_server(site, host).run(sockets=[listener])
