"""Train a method, and save it.

Examples:
  labelgraph train my-data.npz --out my-model
  labelgraph train openclipart --out my-model --method dagnn --epochs 10 --set train.lr=2e-4
  labelgraph train my-data.npz --out my-codes --set model.bits=64       # codes, searched by Hamming distance
  labelgraph train my-data.npz --out my-model --method algcn --label-vectors glove.6B.300d.txt
  labelgraph train --method dagnn --list-settings                       # what --set and --config can change

The best epoch is the one with the best mAP on the split 'validation'; data without it have a tenth of their training
items held out, at most 10,000. A training that was interrupted goes on when the same command is given again; until it
is done, a model that was in MODEL stays. Beside the model, training.json tells how it was made. Of items without an
image or a text, methods with generators (dagnn, p-gnn-con, i-gnn-con) learn in two stages.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelgraph._core.names import check_name
from labelgraph._core.writing import check_writable, replace_file
from labelgraph.cli.common import Parser, add_command, note, print_json
from labelgraph.cli.given_data import DATA_HELP, load
from labelgraph.cli.label_vectors_option import label_vectors
from labelgraph.cli.training_folder import STATE, TrainingFolder
from labelgraph.data import CrossModalData
from labelgraph.data.splits.training_splits import digest, fingerprint, held_out_share, told_splits, training_splits
from labelgraph.methods import METHODS, method_class
from labelgraph.version import __version__

if TYPE_CHECKING:
    from torch import Tensor

    from labelgraph.train import TrainedMethod

DEFAULT_METHOD = "expected-relevance"  # Best on the bundled set when all were tuned alike, and fastest to train.


def add_parser(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command."""
    command = add_command(commands, "train", __doc__ or "", run)
    command.add_argument("data", metavar="DATA", nargs="?", help=DATA_HELP)
    command.add_argument("--out", metavar="MODEL", type=Path, help="folder for the model")
    command.add_argument("--method", metavar="NAME", default=DEFAULT_METHOD,
                         help=f"one of: {', '.join(METHODS)} (default: {DEFAULT_METHOD})")  # fmt: skip
    command.add_argument("--epochs", metavar="N", type=int, help="passes over the training items at most")
    command.add_argument("--seed", metavar="N", type=int, default=0, help="of all that is drawn (default: 0)")
    command.add_argument("--set", metavar="KEY=VALUE", nargs="+", action="extend", default=[], dest="settings",
                         help="change settings, such as model.bits=64 train.lr=1e-4")  # fmt: skip
    command.add_argument("--config", metavar="FILE", type=Path, help="YAML with settings; --set goes over it")
    command.add_argument("--label-vectors", metavar="FILE", help="embed labels by the words of their names: word "
                         "vectors in .txt, .vec, .bin (.gz) or .mat; 'sentence' for a sentence encoder")  # fmt: skip
    command.add_argument("--select", choices=["validation", "last"],
                         help="split to choose the best epoch on (default: validation); 'last' takes the last "
                         "epoch")  # fmt: skip
    command.add_argument("--device", metavar="NAME", help="auto, cpu, cuda or mps (default: auto)")
    command.add_argument("--precision", metavar="NAME", help="32-true, bf16-mixed, ... (default: 32-true)")
    command.add_argument("--restart", action="store_true", help="begin anew instead of going on with an interrupted "
                         "training")  # fmt: skip
    command.add_argument("--list-settings", action="store_true", help="list all settings of the method, and stop")
    command.add_argument("--quiet", action="store_true", help="say nothing on the way")


def run(options: argparse.Namespace) -> None:
    """Run the command."""
    check_name("--method", options.method, METHODS)
    # Here, so that --help answers without loading Lightning.
    from labelgraph.train import as_plain, check_device, check_incomplete, describe_settings

    settings = _settings(options)
    if options.list_settings:
        listed = {group: vars(values) for group, values in settings.items()}
        print_json(as_plain(listed)) if options.json else print(describe_settings(settings))
        return
    if options.data is None or options.out is None:
        raise ValueError("DATA and --out MODEL must be given (labelgraph train --help tells more)")
    check_device(settings["train"].device)
    check_writable(options.out, beside=True)
    given, method = load(options.data), method_class(options.method)
    data, held_out = training_splits(given, settings["train"].select, options.seed, method.reads_labels)
    check_incomplete(method, data)
    if not options.quiet:
        for line in told_splits(given, data, held_out, options.seed):
            note(line)
    vectors = label_vectors(options.label_vectors, settings["model"], data.label_names, options.quiet)
    about = {
        "labelgraph": __version__,
        "method": options.method,
        "seed": options.seed,
        "held_out": held_out_share(len(data.rows("train")) + len(data.rows("validation"))) if held_out else None,
        "settings": as_plain({group: vars(values) for group, values in settings.items()}),
        "data": fingerprint(data),
        "label_vectors": None if vectors is None else digest([vectors.numpy()]),
    }
    _tell(options, _train_and_save(options, settings, data, about, vectors))


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    """The settings by group: published, below those of the file, the options, and ``--set``."""
    from labelgraph.train import build_settings, merge_settings, published_settings

    method = method_class(options.method)
    published = published_settings(method)
    stages = [group for group in published if group != "model"]
    own = {"select": options.select, "device": options.device, "precision": options.precision}
    given = [f"{stage}.{name}={value}" for stage in stages for name, value in own.items() if value]
    given += [] if options.epochs is None else [f"train.epochs={options.epochs}"]
    if options.label_vectors is not None:
        if "label_embedding" not in {field.name for field in fields(method.Config)}:
            raise ValueError(f"'--label-vectors' needs a method with label embeddings (got {options.method!r})")
        given.append("model.label_embedding=given")
    files = [options.config] if options.config else []
    return build_settings(published, merge_settings(published, files, [*given, *options.settings]))


def _train_and_save(
    options: argparse.Namespace,
    settings: Mapping[str, Any],
    data: CrossModalData,
    about: Mapping[str, Any],
    vectors: Tensor | None,
) -> dict[str, Any]:
    """Train in the folder beside the model, put the model into its place, and tell how it was made."""
    from labelgraph.train import train_method

    folder = TrainingFolder.beside(options.out)
    with folder.held():
        if folder.begin(about, options.restart) and not options.quiet:
            note(f"going on with the unfinished training in {folder.path}")
        how: dict[str, Any] = {"folder": folder.path, "seed": options.seed, "progress": not options.quiet}
        try:
            trained = train_method(
                options.method, data, label_vectors=vectors, keep_checkpoints=True, **how, **settings
            )
        except KeyboardInterrupt:
            raise KeyboardInterrupt("the same command goes on with the training") from None
        trained.method.save_pretrained(options.out)
        made = {**about, **_made(options.data, trained, about)}
        replace_file(options.out / STATE, json.dumps(made, indent=1).encode())
        folder.delete()
    return made


def _made(name: str, trained: TrainedMethod, about: Mapping[str, Any]) -> dict[str, Any]:
    """What ``training.json`` tells beside what the training depends on."""
    chosen, fitted = trained.settings["train"].select, trained.result
    return {
        "data": {"name": name, "train": len(trained.data.splits["train"]), "sha256": about["data"]},
        "selected_on": None if chosen == "last" else chosen,
        "best_epoch": fitted.best_epoch,
        "best_map": fitted.best_map,
        "improving": fitted.improving,
        "epochs": len(fitted.history),
        "seconds": fitted.seconds,
        "history": fitted.history,
    }


def _tell(options: argparse.Namespace, made: Mapping[str, Any]) -> None:
    """Print what was made."""
    if options.json:
        print_json({"model": str(options.out), **made})
        return
    best, hint = "the last of them taken", ""
    if made["improving"]:
        hint = (
            f"\nthe last epoch is the best: more epochs, such as --epochs {2 * made['epochs']}, may give a better model"
        )
    if made["best_map"] is not None:
        best = (
            f"the best {made['best_epoch'] + 1}, with mAP {made['best_map']:.3f} on the split {made['selected_on']!r}"
        )
    print(
        f"{made['method']} trained on {made['data']['train']:,} items in {made['seconds']:.1f} s: {made['epochs']} "
        f"epochs, {best}{hint}\nsaved in {options.out}; labelgraph evaluate {options.out} {options.data} measures it"
    )
