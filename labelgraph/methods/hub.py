"""Models on the Hugging Face Hub: upload, and download of a model whose place starts with ``hf://``.

Only ``model.json``, the safetensors file that it names and ``README.md`` are uploaded. Only the first two are read.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelgraph._core.argument_kinds import as_path, received
from labelgraph._core.files import write_text
from labelgraph.methods.hub_card import CARD, model_card

if TYPE_CHECKING:
    from labelgraph.methods.base import Method

PREFIX = "hf://"
REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
MANIFEST, TENSORS = "model.json", "model-????????????????.safetensors"  # Patterns; the name has part of the checksum.


def is_on_hub(place: Any) -> bool:
    """Whether a place is a model on the Hub: it starts with ``hf://``, and there is no folder of this name."""
    return isinstance(place, str) and place.startswith(PREFIX) and not Path(place).exists()


def check_repository(name: str, argument: str = "repository") -> str:
    """Check the name of a repository, and return it without ``hf://``.

    Raises:
        ValueError: If the name is not of the form ``user/model``.

    Example:
        >>> from labelgraph.methods.hub import check_repository
        >>> check_repository("hf://me/birds")
        'me/birds'
    """
    repository = name.removeprefix(PREFIX) if isinstance(name, str) else ""
    if not REPOSITORY.fullmatch(repository) or ".." in repository or "--" in repository:
        raise ValueError(f"'{argument}' must be the name of a repository, such as user/model (got {received(name)})")
    return repository


@contextmanager
def local_folder(place: str | Path, revision: str | None = None, token: str | None = None) -> Iterator[Path]:
    """Return the folder of a model; a model on the Hub is downloaded first.

    Args:
        place: Folder, or ``hf://user/model``. The Hub is used for ``hf://`` only.
        revision: Branch, tag or commit of a model on the Hub. Defaults to its main branch.
        token: Access token of the Hub. Defaults to the one of ``hf auth login``, or of ``HF_TOKEN``.

    Raises:
        ValueError: If the name is wrong, or ``revision`` or ``token`` is given for a folder.
        FileNotFoundError: If there is no such repository or revision, or it has no model.
        ConnectionError: If the Hub cannot be reached, and the model is not in its cache.
        ImportError: If huggingface_hub is not installed.
    """
    if not is_on_hub(place):
        if revision is not None or token is not None:
            raise ValueError(f"'revision' and 'token' need a model on the Hub, hf://user/model (got {place})")
        yield as_path("folder", place)
        return
    snapshot = _download(check_repository(str(place), "folder"), str(place), revision, token)
    with tempfile.TemporaryDirectory() as temporary:
        # Copies, since the files of the cache are links, which model folders must not have.
        for pattern in (MANIFEST, TENSORS):
            for path in snapshot.glob(pattern):
                shutil.copyfile(path, Path(temporary) / path.name)
        try:
            yield Path(temporary)
        except (ValueError, FileNotFoundError) as error:  # Of the content; the message names the place.
            kind = ValueError if isinstance(error, ValueError) else FileNotFoundError
            raise kind(str(error).replace(temporary, str(place))) from error


def _download(repository: str, place: str, revision: str | None, token: str | None) -> Path:
    """Download the files of a model into the cache of the Hub, and return their folder."""
    client = _client()
    options: dict[str, Any] = {"revision": revision, "token": token, "allow_patterns": [MANIFEST, TENSORS]}
    with _one_line(place):
        return Path(client.snapshot_download(repository, library_name="labelgraph", **options))


def write_shared(
    method: Method,
    folder: str | Path,
    repository: str,
    facts: Mapping[str, Any] | None = None,
    license: str | None = None,
) -> list[str]:
    """Write the files that `push` uploads into a new or empty folder, and return their names.

    Raises:
        ValueError: If the folder has files, or a fact or the name of the repository is wrong.
    """
    repository, folder = check_repository(repository), as_path("folder", folder)
    card = model_card(method, {**(facts or {}), "repository": repository}, license)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder}: expected a new or an empty folder (got one with files)")
    method.save_pretrained(folder)
    (folder / ".lock").unlink(missing_ok=True)
    write_text(folder / CARD, card)
    return sorted(path.name for path in folder.iterdir())


def push(
    method: Method,
    repository: str,
    private: bool = False,
    token: str | None = None,
    facts: Mapping[str, Any] | None = None,
    license: str | None = None,
) -> str:
    """Upload a method to the Hub, see `Method.push_to_hub`; return the address of the repository."""
    repository, client = check_repository(repository), _client()
    with tempfile.TemporaryDirectory() as temporary:
        names = write_shared(method, Path(temporary) / "model", repository, facts, license)
        with _one_line(PREFIX + repository):
            api = client.HfApi(token=token, library_name="labelgraph")
            address = api.create_repo(repository, private=private, exist_ok=True)
            public = private and not api.repo_info(repository).private
        if public:  # The option has no effect on a repository that exists.
            raise ValueError(f"'private' must be false for {repository}, which is public; make it private first")
        with _one_line(PREFIX + repository):
            # A file of an earlier model is deleted, so that the repository has one model.
            api.upload_folder(
                repo_id=repository,
                folder_path=Path(temporary) / "model",
                allow_patterns=names,
                delete_patterns=TENSORS,
                commit_message=f"Upload {method.name}",
            )
    return str(address)


def _client() -> Any:
    try:
        import huggingface_hub
    except ImportError as error:
        message = 'huggingface_hub is not installed; install it by pip install "labelgraph[hub]"'
        raise ImportError(message) from error
    return huggingface_hub


@contextmanager
def _one_line(place: str) -> Iterator[None]:
    """Turn an exception of huggingface_hub, whose messages have many lines, into one line with the place."""
    from huggingface_hub import errors

    try:
        yield
    except errors.RepositoryNotFoundError as error:
        raise FileNotFoundError(
            f"{place}: no such repository on the Hub, or no access to it; check the name, or run hf auth login"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise FileNotFoundError(f"{place}: no such revision in this repository") from error
    except (errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError, ConnectionError, TimeoutError) as error:
        raise ConnectionError(f"{place}: the Hub cannot be reached, and the model is not in its cache") from error
    except Exception as error:
        cause = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(f"{place}: the Hub did not accept the request ({cause[:300]})") from error
