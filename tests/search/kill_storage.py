"""Kill saving at each step that touches files, and print what can be read then: ``first`` or ``second``."""

import os
import shutil
import sys
from pathlib import Path

from labelgraph.search.storage import read_version, write_version

STEPS = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.listdir", "os.scandir", "shutil.rmtree")


def fill(content):
    def write(folder):
        (folder / "model").mkdir()
        for name in ("a.bin", "b.bin", "model/c.bin"):
            (folder / name).write_bytes(content)

    return write


def save_until(folder, step):
    """Save in a child that exits, without tidying up, at its given step; tell whether it got through."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    count = 0

    def watch(event, arguments):
        nonlocal count
        if event in STEPS:
            count += 1
            if count == step:
                os._exit(1)

    sys.addaudithook(watch)
    write_version(folder, fill(b"second"))
    os._exit(0)


def main():
    folder, step, alive = Path(sys.argv[1]), 0, False
    while not alive:
        step += 1
        shutil.rmtree(folder, ignore_errors=True)
        write_version(folder, fill(b"first"))
        alive = save_until(folder, step)
        version = read_version(folder)
        found = {version.read(name).decode() for name in ("a.bin", "b.bin", "model/c.bin")}
        print("+".join(sorted(found)))
        # Whatever was left behind, the next save goes through and tidies up.
        write_version(folder, fill(b"third"))
        assert read_version(folder).read("a.bin") == b"third"
        assert len(list(folder.iterdir())) == 2


if __name__ == "__main__":
    main()
