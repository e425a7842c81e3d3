"""Train a method on a data set, and save the model.

Examples:
  labelgraph train my-data.npz --out my-model
  labelgraph train openclipart --out my-model --method dagnn --epochs 10 --set train.lr=2e-4
  labelgraph train my-data.npz --out my-codes --set model.bits=64       # binary codes, searched by Hamming distance
  labelgraph train my-data.npz --out my-model --method algcn --label-vectors glove.6B.300d.txt
  labelgraph train my-data.npz --out my-model --set data.unseen_labels="[cat, dog]" data.drop_labels=0.5
  labelgraph train my-data.npz --out my-model --logger tensorboard      # then: tensorboard --logdir my-model.logs
  labelgraph train --method dagnn --list-settings                       # settings for --set and --config

The epoch with the best mAP on the validation split is kept. Without a validation split, a tenth of the training items
is held out for it, at most 10,000. An interrupted training resumes when you run the same command again. If MODEL
exists, the old model stays usable until the training is done. MODEL/training.json records how the model was trained. If
training items lack an image or a text, use a method with generators (dagnn, p-gnn-con, i-gnn-con): it trains in two
stages. On fewer than 5,000 training items, methods with a low published learning rate use a higher one, unless you set
train.lr.

To train on several devices, let a launcher start one process for each device:
torchrun --nproc-per-node 4 --no-python labelgraph train my-data --out my-model --devices 4
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelgraph._core.files import check_writable
from labelgraph._core.json_files import write_json
from labelgraph._core.names import check_name
from labelgraph._core.reading import reading
from labelgraph._core.signals import advising
from labelgraph.cli.common import Parser, add_command, counted, note, print_json
from labelgraph.cli.inputs import DATA_HELP, load
from labelgraph.cli.training_folder import STATE, TrainingFolder
from labelgraph.data.named_sets import check_dataset
from labelgraph.methods.registry import METHODS, method_class, method_facts
from labelgraph.train.loggers import LOGGERS, check_logger
from labelgraph.version import __version__

if TYPE_CHECKING:
    from torch import Tensor

    from labelgraph.data import CrossModalData
    from labelgraph.train import TrainedMethod

DEFAULT_METHOD = "expected-relevance"  # The best method on the bundled set after equal tuning; the fastest to train.


def add_parser(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command."""
    command = add_command(commands, "train", __doc__ or "", run)
    command.add_argument("data", metavar="DATA", nargs="?", help=DATA_HELP)
    command.add_argument("--out", metavar="MODEL", type=Path, help="folder for the model")
    command.add_argument("--method", metavar="NAME", default=DEFAULT_METHOD,
                         help=f"one of: {', '.join(METHODS)} (default: {DEFAULT_METHOD})")  # fmt: skip
    command.add_argument("--epochs", metavar="N", type=int, help="maximum number of passes over the training items")
    command.add_argument("--seed", metavar="N", type=int, default=0, help="random seed (default: 0)")
    command.add_argument("--set", metavar="KEY=VALUE", nargs="+", action="extend", default=[], dest="settings",
                         help="change settings, such as model.bits=64 train.lr=1e-4")  # fmt: skip
    command.add_argument("--config", metavar="FILE", type=Path, help="YAML file with settings; --set overrides it")
    command.add_argument("--label-vectors", metavar="FILE", help="vectors of the label names, for label embeddings or "
                         "model.edges=meaning: a file of word vectors, .txt, .vec, .bin (.gz) or .mat; or 'sentence' "
                         "for a sentence encoder (default: those of DATA, if the settings need any)")  # fmt: skip
    command.add_argument("--select", choices=["validation", "last"],
                         help="keep the best epoch on the validation split (default), or the last epoch")  # fmt: skip
    command.add_argument("--device", metavar="NAME", help="auto, cpu, cuda or mps (default: auto)")
    command.add_argument("--devices", metavar="N", type=int, help="number of devices of a machine, for a training "
                         "that a launcher such as torchrun starts (default: 1)")  # fmt: skip
    command.add_argument("--precision", metavar="NAME", help="32-true, bf16-mixed, ... (default: 32-true)")
    command.add_argument("--logger", choices=LOGGERS, help="log the loss terms, mAP and learning rates of each "
                         "epoch in MODEL.logs (default: none)")  # fmt: skip
    command.add_argument("--restart", action="store_true", help="discard an interrupted training and start again")
    command.add_argument("--list-settings", action="store_true", help="list the settings of the method, and exit")
    command.add_argument("--quiet", action="store_true", help="do not print progress and notes")


def run(options: argparse.Namespace) -> None:
    """Run the command."""
    check_name("--method", options.method, METHODS)
    from labelgraph.train.settings import as_plain, describe_settings

    settings = _settings(options)
    if options.list_settings:
        listed = {group: vars(values) for group, values in settings.items()}
        print_json(as_plain(listed)) if options.json else print(describe_settings(settings))
        return
    if options.data is None or options.out is None:
        raise ValueError("DATA and --out MODEL must be given; labelgraph train --help shows examples")
    check_dataset(options.data)
    if options.logger:
        check_logger(options.logger, "--logger")
    from labelgraph.train.launch import by_first, check_processes, is_first, join_processes

    check_processes(settings["train"])
    join_processes()
    options.quiet = options.quiet or not is_first()
    training = TrainingFolder.beside(options.out)
    for folder in (options.out, training.path, *([training.logs] if options.logger else [])):
        by_first(partial(check_writable, folder, folder=True, name="--out"))
    record = _prepare_and_train(options, settings)
    if is_first():
        _report(options, record)


def _prepare_and_train(options: argparse.Namespace, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Load the data and choose the splits, then train."""
    from labelgraph.data.splits.training_splits import describe_splits, held_out_share, training_splits
    from labelgraph.train.fitting import check_device, check_incomplete
    from labelgraph.train.settings import published_settings, with_small_set_rates

    check_device(settings["train"].device)
    loaded, method = load(options.data), method_class(options.method)
    data, held_out = training_splits(loaded, settings["train"].select, options.seed, method.reads_labels)
    check_incomplete(method, data)
    if not options.quiet:
        for line in describe_splits(loaded, data, held_out, options.seed):
            note(line)
    settings, change = with_small_set_rates(settings, _own_settings(options), len(data.rows("train")))
    if change and not options.quiet:
        note(f"{change}; --set train.lr={published_settings(method)['train'].lr:g} keeps the published values")
    vectors = _label_vectors(options.label_vectors, settings["model"], data, options.quiet)
    data = data if vectors is None else replace(data, label_vectors=vectors)
    share = held_out_share(len(data.rows("train")) + len(data.rows("validation"))) if held_out else None
    about = {**_about(options, settings, data, vectors), "held_out": share}
    noise = settings["data"]
    if not options.quiet:
        for line in noise.describe(data):
            note(line)
    return _train_and_save(options, settings, noise.apply(data), about)


def _about(
    options: argparse.Namespace, settings: Mapping[str, Any], data: CrossModalData, vectors: Tensor | None
) -> dict[str, Any]:
    """Return what decides the result of a training: another training must not resume it."""
    from labelgraph.data.splits.training_splits import digest, fingerprint
    from labelgraph.train.settings import as_plain

    return {
        "labelgraph": __version__,
        "method": options.method,
        "seed": options.seed,
        "settings": as_plain({group: vars(values) for group, values in settings.items()}),
        "data": fingerprint(data),
        "label_vectors": None if vectors is None else digest([vectors.numpy()]),
    }


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    """Return the settings by group: the published ones, overridden by the file, then the options, then ``--set``."""
    from labelgraph.train.settings import build_settings, merge_settings

    published, own = _published(options), _own_settings(options)
    try:
        return build_settings(published, own)
    except ValueError:
        if options.config:  # An error that the file alone causes names the file.
            with reading(options.config, "settings"):
                build_settings(published, merge_settings(published, [options.config]))
        raise


def _published(options: argparse.Namespace) -> dict[str, Any]:
    """Return the published settings by group, and the settings of the training labels."""
    from labelgraph.data.label_noise import LabelNoise
    from labelgraph.train.settings import published_settings

    return {**published_settings(method_facts(options.method)), "data": LabelNoise()}


def _own_settings(options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Return the settings of the user, by group."""
    from labelgraph.train.settings import STAGES, merge_settings

    method, published = method_facts(options.method), _published(options)
    stages = [group for group in published if group in STAGES]
    names = ("select", "device", "devices", "precision")
    own = {name: value for name in names if (value := getattr(options, name)) is not None}
    entries = [f"{stage}.{name}={value}" for stage in stages for name, value in own.items()]
    entries += [] if options.epochs is None else [f"train.epochs={options.epochs}"]
    if options.label_vectors is not None:
        if "label_embedding" in {field.name for field in fields(method.Config)}:
            entries.append("model.label_embedding=given")
        elif not method_class(options.method).borrows:
            raise ValueError(f"'--label-vectors' needs a method with label embeddings (got {options.method!r})")
    files = [options.config] if options.config else []
    return merge_settings(published, files, [*entries, *options.settings])


def _label_vectors(source: str | None, config: Any, data: CrossModalData, quiet: bool) -> Tensor | None:
    """Return the vectors of the label names for ``--label-vectors``, and print a note on labels without a vector.

    Args:
        source: Source of the vectors, as `label_name_vectors` takes it; None for those of the data, if any.
        config: Settings of the method, which must use the vectors if there is a source.
        data: Pairs with labels.
        quiet: Print no note.

    Raises:
        ValueError: If the settings need vectors and there are none, or the other way round, or the source cannot be
            read.
        FileNotFoundError: If the file does not exist.
        ImportError: If the source is a sentence encoder that is not installed.
    """
    from labelgraph.encoders import label_name_vectors

    kind, edges = getattr(config, "label_embedding", "given"), getattr(config, "edges", "cooccurrence")
    if source is not None and kind != "given" and edges == "cooccurrence":
        raise ValueError(
            "'--label-vectors' and model.label_embedding=given must be set together (got one alone: "
            f"'model.label_embedding' is {kind!r})"
        )
    if source is None and data.label_vectors is None and getattr(config, "label_embedding", None) == "given":
        raise ValueError("'--label-vectors' must be given for model.label_embedding=given: the data have no vectors")
    if source is None:
        return None
    vectors, missing = label_name_vectors(source, data.label_names)
    if missing and not quiet:
        listed = ", ".join(map(repr, missing[:10])) + (", ..." if len(missing) > 10 else "")
        count = f"{len(missing)} of {counted(data.num_labels, 'label')}"
        note(f"{source} has no vector for {count}, whose embeddings start at zero: {listed}")
    return vectors


def _train_and_save(
    options: argparse.Namespace,
    settings: Mapping[str, Any],
    data: CrossModalData,
    about: Mapping[str, Any],
) -> dict[str, Any]:
    """Train with checkpoints in a folder beside the model, then save the model and its ``training.json``."""
    from labelgraph.train import train_method
    from labelgraph.train.launch import by_first

    folder = TrainingFolder.beside(options.out)
    with ExitStack() as stack:
        by_first(lambda: stack.enter_context(folder.held()))
        if by_first(lambda: folder.begin(about, options.restart)) and not options.quiet:
            note(f"resuming the interrupted training in {folder.path}")
        groups = {group: values for group, values in settings.items() if group != "data"}
        how: dict[str, Any] = {"folder": folder.path, "seed": options.seed, "progress": not options.quiet}
        how |= {"logger": options.logger, "log_folder": folder.logs}
        how["unseen_labels"] = settings["data"].changes_labels
        with advising("give the same command again to resume the training"):
            trained = train_method(options.method, data, keep_checkpoints=True, **how, **groups)
        record = {**about, **_outcome(options.data, trained, about)}
        by_first(lambda: _save(options.out, trained, record, folder))
    return record


def _save(out: Path, trained: TrainedMethod, record: Mapping[str, Any], folder: TrainingFolder) -> None:
    trained.method.save_pretrained(out)
    write_json(out / STATE, record)
    folder.delete()


def _outcome(name: str, trained: TrainedMethod, about: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of ``training.json`` that describe the result of the training."""
    chosen, fitted = trained.settings["train"].select, trained.result
    return {
        "data": {
            "name": name,
            "train": len(trained.data.splits["train"]),
            "validation": len(trained.data.splits.get("validation", ())),
            "sha256": about["data"],
        },
        "selected_on": None if chosen == "last" else chosen,
        "best_epoch": fitted.best_epoch,
        "best_map": fitted.best_map,
        "improving": fitted.improving,
        "epochs": len(fitted.history),
        "seconds": fitted.seconds,
        "history": fitted.history,
    }


def _report(options: argparse.Namespace, record: Mapping[str, Any]) -> None:
    """Print the method, the number of items and epochs, the time, and the best mAP."""
    if options.json:
        print_json({"model": str(options.out), **record})
        return
    lines = [
        f"Trained {record['method']} on {counted(record['data']['train'], 'item')} for "
        f"{counted(record['epochs'], 'epoch')} in {record['seconds']:.1f} s.",
        "Kept the last epoch.",
    ]
    if record["best_map"] is not None:
        split = record["selected_on"]
        size = f" ({counted(record['data']['validation'], 'item')})" if split == "validation" else ""
        lines[1] = (
            f"Kept epoch {record['best_epoch'] + 1}, the best: mAP {record['best_map']:.3f} on the {split} split{size}."
        )
    if record["improving"]:
        lines.append(f"The last epoch is the best; --epochs {2 * record['epochs']} may give a better model.")
    lines += [f"Saved in {options.out}. To measure it: labelgraph evaluate {options.out} {options.data}"]
    print("\n".join(lines))
