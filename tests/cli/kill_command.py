"""Kill `labelgraph train` or `index` at random points while a previous output is there, and tell what can be loaded.

Prints a JSON object for each of 12 points: what is there then, and, for `train`, in the end when the command has been
given again, and whether it went on with what the killed one had done.
"""

import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import torch

# Here, so that no child has to: packages import their parts when these are first used.
import labelgraph.cli.index_command
import labelgraph.cli.train_command
import labelgraph.methods.expected_relevance
import labelgraph.train.recipe  # noqa: F401
from labelgraph.cli.main import main
from labelgraph.data import save_npz
from labelgraph.methods import load_method
from labelgraph.search import Searcher
from tests.cli.small import SMALL, small_data

POINTS = 12


def begin(arguments, errors):
    """Run a command in a child."""
    child = os.fork()
    if not child:
        file = os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for number in (1, 2):
            os.dup2(file, number)
        sys.stdout, sys.stderr = (os.fdopen(number, "w") for number in (1, 2))
        os._exit(main(arguments))
    return child


def whole(arguments, errors):
    """Run a command to its end; give the seconds that it took."""
    started = time.perf_counter()
    _, status = os.waitpid(begin(arguments, errors), 0)
    assert os.waitstatus_to_exitcode(status) == 0, errors.read_text()
    return time.perf_counter() - started


def killed(arguments, errors, seconds):
    """Run a command, and kill it after some time if it is not done by then."""
    child = begin(arguments, errors)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def weights(folder):
    return [tensor.tolist() for tensor in load_method(folder).state_dict().values()]


def answers(folder):
    results = Searcher.load(folder).search(image=[0.5] * 12, k=1000)
    return [results.ids, results.titles, results.scores.tolist()]


def run(place, arguments, look, extra=("--seed", "1")):
    """Kill a command at random points of its life, each time with the previous output in its place."""
    out, errors, rng = place / "out", place / "errors.txt", random.Random(0)
    again = [*arguments, "--out", str(out)]
    whole([*arguments, *extra, "--out", str(place / "previous")], errors)
    # The quicker of two: on a busy machine a kill would otherwise come after the end each time.
    seconds = min(whole([*arguments, "--out", str(place / "new")], errors) for _ in range(2))
    known = {name: look(place / name) for name in ("previous", "new")}
    assert known["previous"] != known["new"]

    def state():
        results = look(out)
        return next((name for name, wanted in known.items() if results == wanted), "wrong")

    for point in range(POINTS):
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(place / "previous", out)
        killed(again, errors, seconds * (point + rng.random()) / POINTS)
        then = state()
        whole(again, errors)
        left = sorted(path.name for path in place.iterdir() if path.name.startswith("out"))
        assert left == ["out"], left
        went_on = "resuming" in errors.read_text()
        print(json.dumps({"then": then, "in the end": state(), "went on": went_on}), flush=True)


def main_():
    torch.set_num_threads(1)
    place = Path(sys.argv[2])
    data = str(place / "data.npz")
    save_npz(small_data(), data)
    train = ["train", data, "--epochs", "8", *SMALL]
    if sys.argv[1] == "train":
        run(place, train, weights)
    else:
        whole([*train, "--out", str(place / "model")], place / "errors.txt")
        run(place, ["index", str(place / "model"), data], answers, extra=("--split", "test"))


if __name__ == "__main__":
    main_()
