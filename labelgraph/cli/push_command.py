"""Upload a model to the Hugging Face Hub, with a model card.

Examples:
  labelgraph push my-model user/model --dry-run upload      # writes the files into a folder; nothing is uploaded
  labelgraph push my-model user/model --private
  labelgraph push my-model user/model --license cc-by-4.0
  labelgraph search hf://user/model --data my-data.npz --text-id 42

The files are model.json, the safetensors file with the parameters, and README.md, the model card. The card is written
from MODEL/training.json: method, settings, name and sizes of the data, labels, mAP, limits. It is public if the
repository is: read it first, with --dry-run. Log in by hf auth login, or set HF_TOKEN. It needs:
pip install "labelgraph[hub]"
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from labelgraph.cli.common import Parser, add_command, print_json
from labelgraph.cli.inputs import check_folder
from labelgraph.methods.hub import check_repository


def add_parser(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command."""
    command = add_command(commands, "push", __doc__ or "", run)
    command.add_argument("model", metavar="MODEL", type=Path, help="folder of a trained model")
    command.add_argument("repository", metavar="USER/MODEL", help="repository on the Hub; created if it does not exist")
    command.add_argument("--private", action="store_true", help="create a private repository")
    command.add_argument("--license", metavar="NAME", help="licence for the model card, such as cc-by-4.0 (default: "
                         "none)")  # fmt: skip
    command.add_argument("--dry-run", metavar="DIR", type=Path, help="write the files into a new folder, and upload "
                         "nothing")  # fmt: skip


def run(options: argparse.Namespace) -> None:
    """Run the command."""
    repository = check_repository(options.repository, "USER/MODEL")
    check_folder(options.model, "folder of a model")
    from labelgraph.cli.setups import read_record
    from labelgraph.methods.hub import write_shared
    from labelgraph.methods.registry import load_method

    method, facts = load_method(options.model), read_record(options.model)
    about: dict[str, Any] = {"model": str(options.model), "repository": repository}
    if options.dry_run:
        names = write_shared(method, options.dry_run, repository, facts, options.license)
        about |= {"folder": str(options.dry_run), "files": names}
        told = f"Wrote {', '.join(names)} to {options.dry_run}; nothing is uploaded."
    else:
        address = method.push_to_hub(repository, private=options.private, facts=facts, license=options.license)
        about |= {"url": address}
        told = f"Uploaded {options.model} to {address}. To load it: labelgraph.load_method('hf://{repository}')"
    print_json(about) if options.json else print(told)
