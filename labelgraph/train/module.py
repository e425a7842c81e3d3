"""A method as a LightningModule."""

from __future__ import annotations

from typing import Any

import lightning as L
import torch
from torch import Tensor

from labelgraph._core.names import SIDES
from labelgraph._core.similarity import Embeddings
from labelgraph.inference import encode_batch
from labelgraph.methods import Method
from labelgraph.metrics import mean_average_precision
from labelgraph.train.datamodule import Batch
from labelgraph.train.settings import TrainConfig

MONITOR = "validation_map"  # What the best epoch is chosen by.


class NonFiniteError(RuntimeError):
    """A loss term, a parameter or a buffer became NaN or infinite; the message names it."""


class RetrievalModule(L.LightningModule):
    """Trains any `Method`: total loss, optimiser, and retrieval both ways on the items to choose on.

    Args:
        method: What to train.
        config: Learning rate and the like.
        fill_missing: Generate missing sides; otherwise they are the zeros that the data have there.
    """

    def __init__(self, method: Method, config: TrainConfig, fill_missing: bool = False) -> None:
        super().__init__()
        self.method = method
        self.config = config
        self.fill_missing = fill_missing
        self._held_out: list[tuple[Any, ...]] = []
        self._losses: list[Tensor] = []
        self._pairs = 0

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam or SGD, fused: one pass over the parameters, several times faster than the plain loop."""
        config = self.config
        groups = self.method.param_groups(config.lr)
        if config.optimizer == "sgd":
            return torch.optim.SGD(groups, momentum=config.momentum, weight_decay=config.weight_decay, fused=True)
        return torch.optim.Adam(groups, betas=config.betas, weight_decay=config.weight_decay, fused=True)

    def on_train_epoch_start(self) -> None:
        """Tell the method its epoch, and begin its means."""
        self._losses, self._pairs = [], 0
        self.method.on_epoch(self.current_epoch)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The total loss of a batch."""
        image, text, labels, present = batch
        if self.fill_missing:
            image, text = self.method.fill_missing(image, text.to_dense(), present)
        text = self.method.as_taken(text)
        # Such a method could not read them by mistake either.
        labels = labels if self.method.reads_labels else labels[:, :0]
        outputs = self.method(image, text)
        terms = self.method.loss_terms(outputs, labels)
        total = self.method.total_loss(terms)
        if not torch.isfinite(total):
            values = {name: term.item() for name, term in terms.items()}
            wrong = [name for name, term in terms.items() if not torch.isfinite(term)]
            raise NonFiniteError(
                f"the loss term {' and '.join(wrong) or 'total'} is not finite in epoch {self.current_epoch}, "
                f"step {batch_idx} ({values}); a lower 'lr' or scaled features may help"
            )
        self._log({**terms, "total": total, **self.method.diagnostics(outputs)}, len(labels))
        return total

    def on_train_epoch_end(self) -> None:
        """Check what the epoch made of parameters and buffers, before it is kept in a checkpoint."""
        state = self.method.state_dict().items()
        wrong = [name for name, value in state if value.is_floating_point() and not torch.isfinite(value).all()]
        if wrong:
            more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
            raise NonFiniteError(
                f"{', '.join(wrong[:3])}{more} of the method: not finite after epoch "
                f"{self.current_epoch}; a lower 'lr' or scaled features may help"
            )

    def _log(self, terms: dict[str, Tensor], batch_size: int) -> None:
        """Log the mean of each term over the epoch, once: Lightning's own averaging costs 3 ms a step."""
        self._losses.append(torch.stack([*terms.values()]).detach() * batch_size)
        self._pairs += batch_size
        if self.trainer.is_last_batch:
            means = torch.stack(self._losses).sum(0) / self._pairs
            self.log_dict(dict(zip(terms, means, strict=True)), on_step=False, on_epoch=True, sync_dist=True)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Embed a batch of the items to choose on."""
        embeddings = [encode_batch(self.method, side, getattr(batch, side)) for side in SIDES]
        self._held_out.append((*embeddings, batch.labels, batch.present))

    def on_validation_epoch_end(self) -> None:
        """Retrieve both ways among the items to choose on."""
        images, texts, *rest = zip(*self._held_out, strict=True)
        image, text = Embeddings.cat(images), Embeddings.cat(texts)
        labels, present = map(torch.cat, rest)
        self._held_out.clear()
        has_image, has_text = present.unbind(1)
        sides = (image[has_image], labels[has_image]), (text[has_text], labels[has_text])
        there, back = (
            mean_average_precision(query, database, asked, found)
            for (query, asked), (database, found) in (sides, sides[::-1])
        )
        metrics: dict[str, Any] = {"image_to_text": there, "text_to_image": back, MONITOR: (there + back) / 2}
        self.log_dict(metrics)
