"""Add labels to a trained model without training.

Examples:
  labelgraph label add my-model ladybug                      # placed by the packaged sentence encoder
  labelgraph label add my-model ladybug --vector words.txt   # by a file of word vectors, or .npy with its vector
  labelgraph label add my-model ladybug --json

The label is placed among the trained labels by the vector of its name: its probability for an item is the mean of the
probabilities of the nearest labels. The training data must have vectors of the label names, as the bundled sets do.
An index has its own copy of the model: build it again to use the label as a filter or in texts.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from labelgraph.cli.common import Parser, add_command, describe, print_json
from labelgraph.cli.inputs import check_file, check_folder
from labelgraph.methods.registry import load_method


def add_parser(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command and its subcommand."""
    help_ = describe(__doc__ or "")
    own = commands.add_parser("label", help=help_["description"].rstrip(".").lower(), **help_)
    below = own.add_subparsers(metavar="COMMAND", title="commands", required=True, parser_class=Parser)
    command = add_command(below, "add", __doc__ or "", add)
    command.add_argument("model", metavar="MODEL", type=Path, help="folder of a trained model, which is replaced")
    command.add_argument("name", metavar="NAME", help="name of the label")
    command.add_argument("--vector", metavar="FILE", type=Path, help="vector of the label, as .npy, or a file of word "
                         "vectors (default: the sentence encoder)")  # fmt: skip


def add(options: argparse.Namespace) -> None:
    """Run the command."""
    check_folder(options.model, "folder of a model")
    if options.vector is not None:
        check_file(options.vector, "file of vectors")
    from labelgraph.methods.added_labels import add_label
    from labelgraph.methods.label_placement import LabelPlacement, placement_weights

    method = add_label(load_method(options.model), options.name, options.vector)
    method.save_pretrained(options.model)
    graph, vectors = method._graph, method.label_vectors
    assert graph is not None and vectors is not None
    placement = LabelPlacement.of(options.name, placement_weights(method, vectors[-1:])[0], graph.label_names)
    if options.json:
        print_json({"model": str(options.model), "label": options.name, "nearest": dict(placement.nearest)})
        return
    print(f"{placement}\nAdded {options.name!r} to {options.model}. Indexes of this model are still valid, but do not "
          f"have the label: build them again with labelgraph index {options.model} DATA --out INDEX.")  # fmt: skip
