"""Kill saving at each step that touches files, and print what can be read then: ``first`` or ``second``."""

import shutil
import sys
from pathlib import Path

from labelgraph.search.searcher_folder import read_version, write_version
from tests.kill_steps import survives


def fill(content):
    def write(folder):
        (folder / "model").mkdir()
        for name in ("a.bin", "b.bin", "model/c.bin"):
            (folder / name).write_bytes(content)

    return write


def main():
    folder, step, alive = Path(sys.argv[1]), 0, False
    while not alive:
        step += 1
        shutil.rmtree(folder, ignore_errors=True)
        write_version(folder, fill(b"first"))
        alive = survives(lambda: write_version(folder, fill(b"second")), step)
        version = read_version(folder)
        found = {version.read(name).decode() for name in ("a.bin", "b.bin", "model/c.bin")}
        print("+".join(sorted(found)))
        # Whatever was left behind, the next save goes through and tidies up.
        write_version(folder, fill(b"third"))
        assert read_version(folder).read("a.bin") == b"third"
        assert len(list(folder.iterdir())) == 2


if __name__ == "__main__":
    main()
