"""Kill a child process at the n-th thing that it does with files."""

import os
import sys

STEPS = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.listdir", "os.scandir", "shutil.rmtree")


def survives(act, step):
    """Act in a child that exits, without tidying up, at its given step; tell whether it got through."""
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
    act()
    os._exit(0)
