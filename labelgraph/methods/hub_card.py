"""Model cards: ``README.md`` of a model on the Hugging Face Hub, from the facts of its training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from labelgraph._core.argument_kinds import check_kind
from labelgraph._core.reading import reading

if TYPE_CHECKING:
    from labelgraph.methods.base import Method

CARD = "README.md"
MOST_LABELS = 50
TAGS = ["image-text-retrieval", "cross-modal-retrieval", "multi-label", "label-graph"]


def model_card(method: Method, facts: Mapping[str, Any] | None = None, license: str | None = None) -> str:
    """Write a model card in Markdown, with YAML front matter, as the Hugging Face Hub reads it.

    Args:
        method: A trained method.
        facts: Facts of the training, as in ``training.json`` of a model: ``data`` with ``name`` and the numbers of
            items in ``train`` and ``validation``; ``settings``, ``seed``, ``epochs``, ``selected_on``, ``best_map``.
            Also ``metrics``, measures by name, and ``repository``, such as ``"user/model"``. The card leaves out facts
            that are missing. Of a path of the data, the card has the name of the file only.
        license: Licence of the model, such as ``"cc-by-4.0"``. By default, the card has a comment to add one.

    Raises:
        ValueError: If a fact is not of the kind that ``training.json`` has.

    Example:
        >>> from labelgraph.graph import cooccurrence_graph
        >>> from labelgraph.methods import build_method, model_card
        >>> graph = cooccurrence_graph([[1, 1], [0, 1]], ["bird", "sky"])
        >>> card = model_card(build_method("algcn", 6, 5, graph), {"repository": "me/birds", "best_map": 0.5})
        >>> "library_name: labelgraph" in card, "`bird`, `sky`" in card, "hf://me/birds" in card
        (True, True, True)
    """
    check_kind("facts", facts, (Mapping, type(None)), "a mapping, such as the content of training.json")
    facts = dict(facts or {})
    with reading(Path("facts"), "the facts of a training"):
        parts = [
            _front_matter(method, license),
            f"# {_title(method, facts)}",
            "A model of labelgraph, a Python library, that finds images for texts and texts for images. "
            f"Method: `{method.name}`. Similarity of embeddings: {method.similarity}.",
            _loading(facts.get("repository", "USER/MODEL")),
            _training(method, facts),
            _measures(facts),
            _labels(method),
            _limits(method, facts),
            _settings(method, facts),
        ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _front_matter(method: Method, license: str | None) -> str:
    """The YAML that the Hub reads; the licence is left to the user."""
    head: dict[str, Any] = {"library_name": "labelgraph", "pipeline_tag": "feature-extraction"}
    head["tags"] = [*TAGS, method.name]
    if license is not None:
        head = {"license": license, **head}
    comment = "" if license is not None else "# Add a licence, such as license: cc-by-4.0\n"
    return f"---\n{comment}{yaml.safe_dump(head, sort_keys=False, allow_unicode=True)}---"


def _title(method: Method, facts: Mapping[str, Any]) -> str:
    return str(facts["repository"]).rpartition("/")[2] if "repository" in facts else f"{method.name} model"


def _code(text: Any) -> str:
    """A text of the user as code, so that it is no Markdown or HTML."""
    line = " ".join(str(text).split())
    fence = "`" * next(n for n in range(1, len(line) + 2) if "`" * n not in line)
    return f"{fence}{line}{fence}" if len(fence) == 1 else f"{fence} {line} {fence}"


def _loading(repository: str) -> str:
    return (
        "## How to load it\n\n"
        f'```python\nimport labelgraph\n\nmethod = labelgraph.load_method("hf://{repository}")\n```\n\n'
        f"```bash\nlabelgraph search hf://{repository} --data my-data.npz --text-id ID\n```\n\n"
        "The files are safetensors and JSON with checksums, which are checked when the model is loaded."
    )


def _training(method: Method, facts: Mapping[str, Any]) -> str:
    """The inputs, and the data and length of the training."""
    image, text = method._channels or (0, 0)
    lines = [f"- Inputs: image features of {image:,} numbers, text features of {text:,} numbers."]
    for side, settings in method.encoders.items():
        lines.append(f"- Encoder of {side}s: {_code(settings.get('encoder', 'unknown'))}.")
    data = facts.get("data")
    if isinstance(data, Mapping):
        sizes = [f"{data[split]:,} {split}" for split in ("train", "validation") if data.get(split)]
        # The folders of a path may tell the name of the user.
        name = Path(str(data["name"]).replace("\\", "/")).name
        lines.append(f"- Data set: {_code(name)}" + (f" ({', '.join(sizes)} items)." if sizes else "."))
    for key, name in (("epochs", "Epochs"), ("seed", "Random seed"), ("labelgraph", "Version of labelgraph")):
        if facts.get(key) is not None:
            lines.append(f"- {name}: {_code(facts[key])}.")
    return "## Training\n\n" + "\n".join(lines)


def _measures(facts: Mapping[str, Any]) -> str:
    """The mAP of the best epoch, and the measures of the user."""
    rows = [(_code(name), value) for name, value in dict(facts.get("metrics") or {}).items()]
    if facts.get("best_map") is not None:
        split = facts.get("selected_on") or "validation"
        rows.insert(0, (f"mAP on the {split} split, which selected the epoch", facts["best_map"]))
    if not rows:
        return ""
    table = "\n".join(f"| {name} | {value:.3f} |" for name, value in rows)
    return f"## Measures\n\n| measure | value |\n| :--- | ---: |\n{table}"


def label_names(method: Method) -> Sequence[str]:
    """The names of the trained labels; none for a method that does not read labels."""
    return [] if method._graph is None else list(method._graph.label_names)


def _labels(method: Method) -> str:
    names = label_names(method)
    if not names:
        return ""
    shown = ", ".join(map(_code, names[:MOST_LABELS]))
    more = f", and {len(names) - MOST_LABELS:,} more in `model.json`" if len(names) > MOST_LABELS else ""
    return f"## Labels\n\n{len(names):,} labels: {shown}{more}."


def _limits(method: Method, facts: Mapping[str, Any]) -> str:
    lines = ["- Images and texts must be encoded as those of the training data."]
    if label_names(method):
        lines.append("- The model was trained on the labels above. Labels and topics beyond them were not measured.")
    lines += [f"- {sentence}" for sentence in [_calibration(method, facts)] if sentence]
    if facts.get("best_map") is not None:
        lines.append("- The mAP above selected the epoch, so that it is slightly optimistic.")
    return "## Limits\n\n" + "\n".join(lines)


def _calibration(method: Method, facts: Mapping[str, Any]) -> str:
    """On which data the label scores are calibrated, if the method scores labels."""
    from labelgraph.methods.base import Method as Base

    if not method.scores_labels:
        return ""
    if type(method).calibrate is Base.calibrate:
        return "The label scores are no probabilities."
    if "selected_on" not in facts:
        return "The label probabilities are calibrated on held-out items of the training data, if there were any."
    if facts["selected_on"] is None:
        return "The label probabilities are not calibrated, because the last epoch was kept without a held-out split."
    return (
        f"The label probabilities are calibrated on the {facts['selected_on']} split of the training data. On other "
        "data they may be too high or too low."
    )


def _settings(method: Method, facts: Mapping[str, Any]) -> str:
    """All settings as YAML, from the facts or else from the method."""
    settings = facts.get("settings") or {"model": asdict(method.config)}
    plain = yaml.safe_dump(_plain(settings), sort_keys=False, allow_unicode=True)
    return f"## Settings\n\n```yaml\n{plain}```"


def _plain(value: Any) -> Any:
    """Lists for tuples, and texts for other kinds, which YAML does not have."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
