"""The data of a run: loaded by name or path, and split as the settings say."""

from __future__ import annotations

from pathlib import Path

from benchmarks.config import RunConfig
from benchmarks.known_sets import KNOWN_SETS, load_known
from benchmarks.run_folder import RunFolder
from labelgraph.data import (
    PUBLISHED_SIZES,
    SPLITS,
    CrossModalData,
    complete_splits,
    load_dataset,
    load_splits,
    make_splits,
    read_splits,
    save_splits,
)


def load_data(config: RunConfig, folder: RunFolder | None = None) -> CrossModalData:
    """Load the data of a run; with the splits that its folder holds, if it has begun.

    Raises:
        ValueError: If the data have no splits and the settings name none, or the folder's are of other data.
        FileNotFoundError: If the data are not here.
    """
    data = load_known(config.dataset) if config.dataset in KNOWN_SETS else load_dataset(config.dataset)
    if folder and folder.splits.is_file():
        return data.with_splits(load_splits(folder.splits, data))
    return split_data(config, data)


def split_data(config: RunConfig, data: CrossModalData) -> CrossModalData:
    """Split the data as the settings say; splits of their own stay where the settings say nothing."""
    split, seed, sizes = config.data.split, config.data.split_seed, config.data.sizes
    if split in SPLITS:
        sizes = {**PUBLISHED_SIZES.get(split, {}).get(config.dataset, {}), **sizes}
        return data.with_splits(make_splits(data, split, seed, **sizes))
    if split is not None and not Path(split).exists():
        raise ValueError(f"'data.split' must be one of {', '.join(SPLITS)}, or index files (got {split!r})")
    own = data.splits if split is None else read_splits(split, data)
    if "train" not in own:
        raise ValueError(
            f"'data.split' must be one of {', '.join(SPLITS)}, or index files with training items (got {split!r}, with "
            f"{', '.join(own) or 'no splits'})"
        )
    return data.with_splits(complete_splits(own, seed=seed, **sizes))


def keep_splits(config: RunConfig, data: CrossModalData, folder: RunFolder) -> None:
    """Write the indices into the folder of a run, once."""
    if not folder.splits.is_file():
        about = {"dataset": config.dataset, "split": config.data.split, "seed": config.data.split_seed}
        save_splits(data.splits, data, folder.splits, **about)


def tell_splits(config: RunConfig, data: CrossModalData) -> str:
    """A sentence on the splits, for a report."""
    sizes = ", ".join(f"{name} {len(index):,}" for name, index in data.splits.items())
    if config.data.split is None:
        made = "are those that the data set has"
    elif config.data.split in SPLITS:
        made = f"are `{config.data.split}` with seed {config.data.split_seed}"
    else:
        made = f"were read from `{config.data.split}`"
    return f"The splits {made}: {sizes}. Their indices are in `splits.json`."


def held_out(config: RunConfig, data: CrossModalData) -> CrossModalData:
    """Items to calibrate on: those that the epoch is chosen on, and never the test items, unless these are."""
    return data.split("test" if config.train.select == "test" else "validation")
