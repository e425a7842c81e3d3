"""A version of a folder whose parts all hold one value."""

from labelgraph._core.commit import LOCK, write_version
from labelgraph._core.manifest import FolderFormat
from labelgraph._core.versions import open_version

KIND = FolderFormat("index.json", "test index", 1)


def save(folder, value, size=300):
    with write_version(folder, KIND, {"value": value}) as writer:
        for name in ("image.npy", "text.npy"):
            writer.array(name, (size, 4), "int32")[...] = value
        writer.write("same.txt", b"of all versions")


def load(folder):
    """Return the value that all parts of a version hold."""
    with open_version(folder, KIND) as version:
        version.verify()
        assert version.read("same.txt") == b"of all versions"
        image, text = version.array("image.npy"), version.array("text.npy")
        value = version.entries["value"]
    assert (image == value).all() and (text == value).all()
    return value


def names(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != LOCK)
