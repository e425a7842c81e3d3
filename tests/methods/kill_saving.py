"""Kill saving at each file operation, and print which method can be loaded afterwards: ``first`` or ``second``."""

import shutil
import sys
from pathlib import Path

import torch

from labelgraph._core.commit import LOCK
from labelgraph.methods import AGAHConfig, build_method, load_method
from tests.kill_steps import survives


def build(seed):
    torch.manual_seed(seed)
    config = AGAHConfig(bits=4, hidden_channels=4, graph_channels=(2, 2), attention_channels=2)
    return build_method("agah", 3, 2, config=config)


def main():
    first, second, third = map(build, range(3))
    weights = {name: method.state_dict() for name, method in (("first", first), ("second", second))}
    folder, step, alive = Path(sys.argv[1]), 0, False
    third.save_pretrained(folder)  # So that no import is among the steps.
    while not alive:
        step += 1
        shutil.rmtree(folder)
        first.save_pretrained(folder)
        alive = survives(lambda: second.save_pretrained(folder), step)
        result = load_method(folder).state_dict()
        print(*(name for name, state in weights.items() if all(torch.equal(state[key], result[key]) for key in state)))
        # The next save succeeds and deletes files that were left over.
        third.save_pretrained(folder)
        load_method(folder)
        assert len([path for path in folder.iterdir() if path.name != LOCK]) == 2


if __name__ == "__main__":
    main()
