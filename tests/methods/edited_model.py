"""Changes to ``model.json`` as someone might make them by hand, checksum and all."""

import json

from labelgraph._core.digests import sha256_json


def edit_model(folder, entries=(), files=(), **head):
    """Change entries, the entry of the tensors' file, and the head; none deletes an entry."""
    path = folder / "model.json"
    meaning = json.loads(path.read_text())
    del meaning["checksum"]
    meaning |= head
    meaning["entries"] = {k: v for k, v in (meaning["entries"] | dict(entries)).items() if v is not None}
    for entry in meaning["files"].values():
        entry |= dict(files)
    path.write_text(json.dumps(meaning | {"checksum": sha256_json(meaning)}))
