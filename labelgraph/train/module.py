"""A method as a LightningModule."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import lightning as L
import torch
import torch.distributed as dist
from torch import Tensor

from labelgraph._core.checks import csr_tensor
from labelgraph._core.embeddings import Embeddings
from labelgraph._core.multi_hot import stacked_rows
from labelgraph._core.names import SIDES
from labelgraph._core.packed_bits import NonFiniteError
from labelgraph._core.ranks import average_gradient, rows_of_all, shared_batch
from labelgraph.inference import encode_batch
from labelgraph.methods import Method
from labelgraph.metrics import mean_average_precision
from labelgraph.nn import table_parameters
from labelgraph.train.datamodule import Batch
from labelgraph.train.settings import TrainConfig
from labelgraph.train.table_steps import AdamWithTables, by_label, check_optimizer

MONITOR = "validation_map"  # Metric that selects the best epoch.
DRAWS = 0x9E3779B1  # Distance of the random seeds of two processes, or of two steps.
ADVICE = "a lower 'lr' or scaled features may help"


class RetrievalModule(L.LightningModule):
    """Trains any `Method`: total loss, optimiser, and retrieval in both directions on the validation split.

    On several devices, each process computes the outputs of its part of a batch. All processes then gather the outputs
    and compute the loss of the whole batch, so that losses between items compare all items of the batch.

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
        # DDP would not expect the sparse gradients of tables, see `on_after_backward`, and would send references in
        # each step, which training does not change.
        apart = {id(each) for each in by_label(method)}
        named = [*self.named_parameters(), *self.named_buffers()]
        self._ddp_params_and_buffers_to_ignore = [name for name, each in named if id(each) in apart]
        self._held_out: list[tuple[Any, ...]] = []
        self._losses: list[Tensor] = []
        self._pairs = 0

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Create Adam or SGD. The fused implementation is several times faster than the loop over parameters."""
        config = self.config
        groups = self.method.param_groups(config.lr)
        check_optimizer(self.method, config)
        if tables := table_parameters(self.method):
            return AdamWithTables(groups, tables, config.lr, betas=config.betas, weight_decay=config.weight_decay)
        if config.optimizer == "sgd":
            return torch.optim.SGD(groups, momentum=config.momentum, weight_decay=config.weight_decay, fused=True)
        return torch.optim.Adam(groups, betas=config.betas, weight_decay=config.weight_decay, fused=True)

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip gradients as the trainer's options say; those of label tables are sparse, which PyTorch cannot clip."""
        if gradient_clip_val and table_parameters(self.method):
            raise ValueError(
                f"'trainer_options' must not have 'gradient_clip_val' for {self.method.name!r} with many labels "
                f"(got {gradient_clip_val})"
            )
        self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)

    def on_train_epoch_start(self) -> None:
        """Set the epoch of the method, and reset the mean losses."""
        self._losses, self._pairs = [], 0
        self.method.on_epoch(self.current_epoch)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Compute the total loss of a batch."""
        # A method that does not read labels receives none, so that it cannot read them by mistake.
        labels = batch.labels if self.method.reads_labels else batch.labels[:, :0]
        with shared_batch(self._group):
            with self._own_draws():
                outputs = self._outputs(batch)
            of_items = [name for name in outputs if name not in self.method.shared_outputs]
            *gathered, labels = rows_of_all(*(outputs[name] for name in of_items), labels)
        outputs |= zip(of_items, gathered, strict=True)
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

    def _of_all(self, image: Embeddings, text: Embeddings, labels: Any, present: Tensor) -> tuple[Any, ...]:
        """Gather embeddings, labels and presence of the validation split from all processes."""
        if self._group is None:
            return image, text, labels, present
        own = labels if isinstance(labels, Tensor) else csr_tensor(labels)
        with shared_batch(self._group):
            images, texts, gathered, present = rows_of_all(image.vectors, text.vectors, own, present)
        return replace(image, vectors=images), replace(text, vectors=texts), stacked_rows([gathered]), present

    def _outputs(self, batch: Batch) -> dict[str, Tensor]:
        image, text = batch.image, batch.text
        if self.fill_missing:
            image, text = self.method.fill_missing(image, text.to_dense(), batch.present)
        return dict(self.method(image, self.method.as_taken(text)))

    @property
    def _group(self) -> dist.ProcessGroup | None:
        """The processes that share a batch, or None for one process."""
        trainer = self._trainer
        return dist.group.WORLD if trainer is not None and trainer.world_size > 1 else None

    @contextmanager
    def _own_draws(self) -> Iterator[None]:
        """Draw other random numbers in each process, for instance for dropout of its own part of the batch.

        The losses are computed outside this context, with the same random numbers in all processes.
        """
        if self._group is None:
            yield
            return
        with torch.random.fork_rng([self.device] if self.device.type == "cuda" else []):
            draw = self.global_step * self.trainer.world_size + self.global_rank + 1
            torch.manual_seed((torch.initial_seed() + DRAWS * draw) % 2**63)
            yield

    def on_train_epoch_end(self) -> None:
        """Check that parameters and buffers are finite, before a checkpoint is saved."""
        state = self.method.state_dict().items()
        wrong = [name for name, value in state if value.is_floating_point() and not torch.isfinite(value).all()]
        if wrong:
            more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
            raise NonFiniteError(
                f"{', '.join(wrong[:3])}{more} of the method: not finite after epoch {self.current_epoch}; {ADVICE}"
            )

    def on_after_backward(self) -> None:
        """Average the gradients of label tables over all processes; DDP averages those of all other parameters."""
        with shared_batch(self._group):
            for parameter in table_parameters(self.method):
                average_gradient(parameter)

    def _log(self, terms: dict[str, Tensor], batch_size: int) -> None:
        """Log the mean of each term once, at the end of the epoch. Averaging by Lightning costs 3 ms a step."""
        self._losses.append(torch.stack([*terms.values()]).detach() * batch_size)
        self._pairs += batch_size
        if self.trainer.is_last_batch:
            means = torch.stack(self._losses).sum(0) / self._pairs
            # All processes have these means, so that Lightning need not average; the own part of a batch may be empty.
            self.log_dict(dict(zip(terms, means, strict=True)), on_step=False, on_epoch=True, batch_size=1)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Embed a batch of the validation split."""
        try:
            embeddings = [encode_batch(self.method, side, getattr(batch, side)) for side in SIDES]
        except NonFiniteError as error:
            raise NonFiniteError(f"{error} after epoch {self.current_epoch}; {ADVICE}") from error
        labels, present = batch.labels, batch.present
        if labels.layout != torch.strided:  # Many labels are ranked on the CPU.
            labels, present = labels.cpu(), present.cpu()
        self._held_out.append((*embeddings, labels, present))

    def on_validation_epoch_end(self) -> None:
        """Compute mAP in both directions on the validation split, which all processes gather first."""
        images, texts, *rest = zip(*self._held_out, strict=True)
        image, text = Embeddings.cat(images), Embeddings.cat(texts)
        image, text, labels, present = self._of_all(image, text, stacked_rows(rest[0]), torch.cat(rest[1]))
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
