"""Simple baselines, fitted on the same training split; their settings are chosen on the validation split."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from sklearn.cross_decomposition import PLSSVD
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from labelgraph._core.multi_hot import label_sums
from labelgraph.data import CrossModalData
from labelgraph.metrics import (
    DIRECTIONS,
    Encoder,
    evaluate_labels,
    evaluate_protocol,
    evaluate_short_queries,
    mean_average_precision,
)
from labelgraph.report import Result

PENALTIES = (1e2, 1e3, 1e4, 1e5)
COMPONENTS = (8, 16, 32, 64)
PRINCIPAL = 128  # Number of principal components that CCA is fitted on; on all features it overfits.


def random_embeddings(data: CrossModalData) -> tuple[Tensor, Tensor]:
    """Random embeddings."""
    generator = torch.Generator().manual_seed(len(data))
    return torch.randn(len(data), 32, generator=generator), torch.randn(len(data), 32, generator=generator)


Transform = Callable[[np.ndarray], np.ndarray]


class Sides:
    """Standardised features of the training items, and the same scaling for other items."""

    def __init__(self, train: CrossModalData) -> None:
        self.present = train.present.numpy().T
        sides = [side[present] for side, present in zip(_sides(train), self.present, strict=True)]
        self.scalers = [StandardScaler().fit(side) for side in sides]
        self.image, self.text = (scaler.transform(side) for scaler, side in zip(self.scalers, sides, strict=True))

    def of(self, data: CrossModalData) -> list[np.ndarray]:
        """Standardised image and text features."""
        return [scaler.transform(side) for scaler, side in zip(self.scalers, _sides(data), strict=True)]


def _sides(data: CrossModalData) -> list[np.ndarray]:
    return [data.image.double().numpy(), data.text_rows().double().numpy()]


def _complete(train: CrossModalData) -> CrossModalData:
    return train.select(train.present.all(1).nonzero().flatten())


def _encoder(sides: Sides, image: Transform, text: Transform) -> Encoder:
    def encode(data: CrossModalData) -> tuple[Tensor, Tensor]:
        left, right = sides.of(data)
        return torch.from_numpy(np.asarray(image(left))), torch.from_numpy(np.asarray(text(right)))

    return encode


def ridge(train: CrossModalData, penalties: Iterable[float] = PENALTIES) -> Iterable[tuple[str, Encoder]]:
    """Linear regression to the labels, one for each side, ranked by the cosine of their predictions."""
    sides, labels = Sides(train), train.labels.double().numpy()
    for penalty in penalties:
        pairs = zip((sides.image, sides.text), sides.present, strict=True)
        image, text = (Ridge(penalty).fit(side, labels[present]) for side, present in pairs)
        yield f"penalty {penalty:g}", _encoder(sides, image.predict, text.predict)


def cca(train: CrossModalData) -> Iterable[tuple[str, Encoder]]:
    """Canonical correlation of the principal components of both sides.

    After whitening, the directions of largest covariance are those of largest correlation. One decomposition finds
    them, while scikit-learn's CCA iterates for minutes.
    """
    sides = Sides(_complete(train))
    most = min(PRINCIPAL, *sides.image.shape, *sides.text.shape)
    image, text = (PCA(most, whiten=True, random_state=0).fit(side) for side in (sides.image, sides.text))
    yield from _covariance(sides, image.transform, text.transform)


def pls(train: CrossModalData) -> Iterable[tuple[str, Encoder]]:
    """Partial least squares: directions of largest covariance between the sides."""
    sides = Sides(_complete(train))
    yield from _covariance(sides, np.asarray, np.asarray)


def _covariance(sides: Sides, image: Transform, text: Transform) -> Iterable[tuple[str, Encoder]]:
    left, right = image(sides.image), text(sides.text)
    most = min(max(COMPONENTS), *left.shape, *right.shape)
    model = PLSSVD(most, scale=False).fit(left, right)
    for size in [size for size in COMPONENTS if size <= most] or [most]:
        yield (
            f"{size} components",
            _encoder(
                sides,
                _projection(image, model.x_weights_[:, :size]),
                _projection(text, model.y_weights_[:, :size]),
            ),
        )


def _projection(reduce: Transform, weights: np.ndarray) -> Transform:
    return lambda side: reduce(side) @ weights


FITTED: dict[str, Callable[[CrossModalData], Iterable[tuple[str, Encoder]]]] = {
    "ridge": ridge,
    "cca": cca,
    "pls": pls,
}


def run_baseline(
    name: str,
    training: CrossModalData,
    data: CrossModalData,
    protocols: Iterable[str],
    select: str,
    **options: Any,
) -> list[Result]:
    """Fit one baseline on the split ``train``, choose its setting, and evaluate it by every protocol.

    If an item lacks one side, ridge regression learns from the other side; CCA and PLS leave the item out.
    """
    started = time.perf_counter()
    if name == "random":
        setting, chosen_on = None, None
        encode: Encoder = random_embeddings
    else:
        held_out, chosen_on = data.split(select), select
        setting, encode = max(FITTED[name](training.split("train")), key=lambda entry: quality(entry[1], held_out))
    seconds = time.perf_counter() - started
    counts = label_sums(training.label_rows(training.rows("train"), dense=False))
    measured = {protocol: evaluate_protocol(encode, data, protocol, **options) for protocol in protocols}
    return [
        Result(
            method=name,
            seed=None,
            protocol=protocol,
            image_to_text=reports["image_to_text"],
            text_to_image=reports["text_to_image"],
            selected_on=chosen_on,
            train_seconds=seconds,
            setting=setting,
            short_queries=evaluate_short_queries(encode, data, protocol, label_queries(name, data), counts),
            classifiers=evaluate_labels(encode, data, protocol, counts, len(training.rows("train")))
            if name == "ridge"
            else {},
        )
        for protocol, reports in measured.items()
    ]


def label_queries(name: str, data: CrossModalData) -> Tensor | None:
    """An embedding of each label alone, (C, C): ridge regression embeds items in the space of the labels."""
    return torch.eye(data.num_labels, dtype=torch.float64) if name == "ridge" else None


def quality(encode: Encoder, data: CrossModalData) -> float:
    """Mean average precision among some items, averaged over both directions."""
    image, text = encode(data)
    ways = ((image, text), (text, image))
    return sum(mean_average_precision(*way, data.labels, data.labels) for way in ways) / len(DIRECTIONS)
