"""Edits of ``model.json`` with a valid checksum."""

import json

from labelgraph._core.digests import sha256_json


def edit_model(folder, entries=(), files=(), **head):
    """Change entries, the entries of the files, and the head. The value ``None`` deletes an entry."""
    path = folder / "model.json"
    meaning = json.loads(path.read_text())
    del meaning["checksum"]
    meaning |= head
    meaning["entries"] = {k: v for k, v in (meaning["entries"] | dict(entries)).items() if v is not None}
    for entry in meaning["files"].values():
        entry |= dict(files)
    path.write_text(json.dumps(meaning | {"checksum": sha256_json(meaning)}))
