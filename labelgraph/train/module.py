"""A method as a LightningModule."""

from __future__ import annotations

from typing import Any

import lightning as L
import torch
from torch import Tensor

from labelgraph._core.multi_hot import stacked_rows
from labelgraph._core.names import SIDES
from labelgraph._core.packed_bits import NonFiniteError
from labelgraph._core.similarity import Embeddings
from labelgraph.inference import encode_batch
from labelgraph.methods import Method
from labelgraph.metrics import mean_average_precision
from labelgraph.train.datamodule import Batch
from labelgraph.train.settings import TrainConfig

MONITOR = "validation_map"  # Metric that selects the best epoch.
ADVICE = "a lower 'lr' or scaled features may help"


class RetrievalModule(L.LightningModule):
    """Trains any `Method`: total loss, optimiser, and retrieval in both directions on the validation split.

    Args:
        method: Method to train.
        config: Settings of the training.
        fill_missing: Generate missing sides. By default, missing sides are zeros.
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
        """Create Adam or SGD. The fused implementation is several times faster than the loop over parameters."""
        config = self.config
        groups = self.method.param_groups(config.lr)
        if config.optimizer == "sgd":
            return torch.optim.SGD(groups, momentum=config.momentum, weight_decay=config.weight_decay, fused=True)
        return torch.optim.Adam(groups, betas=config.betas, weight_decay=config.weight_decay, fused=True)

    def on_train_epoch_start(self) -> None:
        """Set the epoch of the method, and reset the mean losses."""
        self._losses, self._pairs = [], 0
        self.method.on_epoch(self.current_epoch)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Compute the total loss of a batch."""
        image, text, labels, present = batch
        if self.fill_missing:
            image, text = self.method.fill_missing(image, text.to_dense(), present)
        text = self.method.as_taken(text)
        # A method that does not read labels receives none, so that it cannot read them by mistake.
        labels = labels if self.method.reads_labels else labels[:, :0]
        outputs = self.method(image, text)
        terms = self.method.loss_terms(outputs, labels)
        total = self.method.total_loss(terms)
        if not torch.isfinite(total):
            values = {name: term.item() for name, term in terms.items()}
            wrong = [name for name, term in terms.items() if not torch.isfinite(term)]
            raise NonFiniteError(
                f"the loss term {' and '.join(wrong) or 'total'} is not finite in epoch {self.current_epoch}, "
                f"step {batch_idx} ({values}); {ADVICE}"
            )
        self._log({**terms, "total": total, **self.method.diagnostics(outputs)}, len(labels))
        return total

    def on_train_epoch_end(self) -> None:
        """Check that parameters and buffers are finite, before a checkpoint is saved."""
        state = self.method.state_dict().items()
        wrong = [name for name, value in state if value.is_floating_point() and not torch.isfinite(value).all()]
        if wrong:
            more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
            raise NonFiniteError(
                f"{', '.join(wrong[:3])}{more} of the method: not finite after epoch {self.current_epoch}; {ADVICE}"
            )

    def _log(self, terms: dict[str, Tensor], batch_size: int) -> None:
        """Log the mean of each term once, at the end of the epoch. Averaging by Lightning costs 3 ms a step."""
        self._losses.append(torch.stack([*terms.values()]).detach() * batch_size)
        self._pairs += batch_size
        if self.trainer.is_last_batch:
            means = torch.stack(self._losses).sum(0) / self._pairs
            self.log_dict(dict(zip(terms, means, strict=True)), on_step=False, on_epoch=True, sync_dist=True)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Embed a batch of the validation split."""
        try:
            embeddings = [encode_batch(self.method, side, getattr(batch, side)) for side in SIDES]
        except NonFiniteError as error:
            raise NonFiniteError(f"{error} after epoch {self.current_epoch}; {ADVICE}") from error
        self._held_out.append((*embeddings, batch.labels, batch.present))

    def on_validation_epoch_end(self) -> None:
        """Compute mAP in both directions on the validation split."""
        images, texts, *rest = zip(*self._held_out, strict=True)
        image, text = Embeddings.cat(images), Embeddings.cat(texts)
        labels, present = stacked_rows(rest[0]), torch.cat(rest[1])
        self._held_out.clear()
        sides = [
            (side[has], labels[has if isinstance(labels, Tensor) else has.cpu().numpy()])
            for side, has in ((image, present[:, 0]), (text, present[:, 1]))
        ]
        image_to_text, text_to_image = (
            mean_average_precision(query, gallery, query_labels, gallery_labels)
            for (query, query_labels), (gallery, gallery_labels) in (sides, sides[::-1])
        )
        metrics: dict[str, Any] = {"image_to_text": image_to_text, "text_to_image": text_to_image}
        metrics[MONITOR] = (image_to_text + text_to_image) / 2
        self.log_dict(metrics)
