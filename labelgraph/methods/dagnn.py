"""Dual adversarial graph networks: the base class of DAGNN, P-GNN-CON and I-GNN-CON, and DAGNN."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from labelgraph.losses import IMAGE, TEXT, adversarial_loss
from labelgraph.methods.configs import DAGNNConfig
from labelgraph.methods.label_graph import LabelGraphMethod, classification_terms, pairwise_terms
from labelgraph.nn import Generator, HashHead, LabelBranch, ModalityDiscriminator

# Logits of the discriminators, and the modality of the item that the features come from. A text that is generated from
# an image counts as an image.
JUDGED = {
    "image_real": IMAGE,
    "image_generated": TEXT,
    "text_generated": IMAGE,
    "text_real": TEXT,
}


class DualAdversarialMethod(LabelGraphMethod):
    r"""A label-graph method that also generates text features from images and image features from texts.

    A discriminator in image space and one in text space learn to distinguish real features from generated features.
    Gradient reversal trains the projectors and generators to fool the discriminators (DAGNN,
    doi:10.1609/aaai.v35i3.16345):

    .. math::
        L_{adversarial} = \mathrm{CE}(D_v(v), 1) + \mathrm{CE}(D_v(\hat v), 0) +
        \mathrm{CE}(D_t(\hat t), 1) + \mathrm{CE}(D_t(t), 0)

    A subclass defines ``batch_terms`` and ``loss_weights``.

    Args:
        image_projector: Image features (B, D_v) to the common space (B, H).
        text_projector: Text features (B, D_t) to the common space (B, H).
        label_branch: Computes the label classifiers (C, H), and the edges of the label graph.
        text_generator: Image embeddings (B, H) to text features (B, D_t).
        image_generator: Text embeddings (B, H) to image features (B, D_v).
        image_discriminator: Image features to logits (B, 2).
        text_discriminator: Text features to logits (B, 2).
        config: Settings of the method.
        image_hash: Image embeddings (B, H) to relaxed codes (B, bits).
        text_hash: Text embeddings (B, H) to relaxed codes (B, bits).
    """

    generates: ClassVar[bool] = True

    def __init__(
        self,
        image_projector: nn.Module,
        text_projector: nn.Module,
        label_branch: LabelBranch,
        text_generator: nn.Module,
        image_generator: nn.Module,
        image_discriminator: nn.Module,
        text_discriminator: nn.Module,
        config: Any,
        image_hash: HashHead | None = None,
        text_hash: HashHead | None = None,
    ) -> None:
        super().__init__(image_projector, text_projector, label_branch, config, image_hash, text_hash)
        self.text_generator = text_generator
        self.image_generator = image_generator
        self.image_discriminator = image_discriminator
        self.text_discriminator = text_discriminator

    @classmethod
    def parts(cls, config: Any, image_channels: int, text_channels: int, graph: Data | None) -> dict[str, nn.Module]:
        """Build the published parts."""
        width, norm = config.hidden_channels, cls.batch_norm
        to_text, to_image = config.text_generator_channels, config.image_generator_channels
        return {
            **super().parts(config, image_channels, text_channels, graph),
            "text_generator": Generator(width, to_text, text_channels, "leaky_relu", norm),
            "image_generator": Generator(width, to_image, image_channels, "relu", norm),
            "image_discriminator": ModalityDiscriminator(image_channels, activation=norm, batch_norm=norm),
            "text_discriminator": ModalityDiscriminator(text_channels, activation=norm, batch_norm=norm),
        }

    def forward(self, image: Tensor, text: Tensor) -> dict[str, Tensor]:
        """Embed and score a batch of pairs, generate each side from the other, and apply the discriminators."""
        outputs = super().forward(image, text)
        generated_image = self.image_generator(outputs["text_embedding"])
        generated_text = self.text_generator(outputs["image_embedding"])
        return {
            **outputs,
            "image_real": self.image_discriminator(image),
            "image_generated": self.image_discriminator(generated_image),
            "text_generated": self.text_discriminator(generated_text),
            "text_real": self.text_discriminator(text),
        }

    def diagnostics(self, outputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Compute the accuracy of the discriminators on real and on generated features, for both modalities.

        If a discriminator cannot distinguish real and generated features, its two accuracies add up to 1.
        """
        return {
            f"precision_{kind}": (outputs[kind].argmax(1) == modality).float().mean()
            for kind, modality in JUDGED.items()
        }

    @torch.no_grad()
    def fill_missing(self, image: Tensor, text: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Generate the missing side of incomplete pairs from the other side, without gradients.

        Batch normalisation uses its running statistics and does not update them, so that the generated features of a
        pair do not depend on the other pairs of the batch.

        Args:
            image: Image features, shape (B, D_v).
            text: Text features, shape (B, D_t).
            present: Whether the image and the text are present, shape (B, 2).
        """
        training = self.training
        self.eval()
        generated_image = self.image_generator(self.text_projector(text))
        generated_text = self.text_generator(self.image_projector(image))
        self.train(training)
        has_image, has_text = present.bool().unsqueeze(-1).unbind(1)
        return torch.where(has_image, image, generated_image), torch.where(has_text, text, generated_text)


def adversarial_terms(outputs: dict[str, Tensor]) -> Tensor:
    """Sum the adversarial losses of real and generated features of both modalities."""
    return torch.stack([adversarial_loss(outputs[kind], modality) for kind, modality in JUDGED.items()]).sum()


class DAGNN(DualAdversarialMethod):
    r"""Qian, Xue, Zhang, Fang, Xu: Dual Adversarial Graph Neural Networks for Multi-label Cross-modal Retrieval.

    A static label graph gives the classifiers, by several graph convolutions. Generators and discriminators reduce the
    gap between images and texts (AAAI 2021, doi:10.1609/aaai.v35i3.16345):

    .. math:: L = L_{classification} + \alpha L_{pairwise} + \beta L_{adversarial}

    The parts are the parts of `DualAdversarialMethod`.

    Example:
        >>> import torch
        >>> from labelgraph.graph import cooccurrence_graph
        >>> from labelgraph.methods import DAGNN, DAGNNConfig
        >>> labels = torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
        >>> config = DAGNNConfig(hidden_channels=8, conv="gat")
        >>> model = DAGNN.from_config(config, 32, 16, cooccurrence_graph(labels))
        >>> outputs = model(torch.rand(2, 32), torch.rand(2, 16))
        >>> sorted(model.loss_terms(outputs, labels))
        ['adversarial', 'classification', 'pairwise']
        >>> sorted(model.diagnostics(outputs))
        ['precision_image_generated', 'precision_image_real', 'precision_text_generated', 'precision_text_real']
    """

    name: ClassVar[str] = "dagnn"
    Config: ClassVar[type] = DAGNNConfig

    def batch_terms(self, outputs: dict[str, Tensor], labels: Tensor) -> dict[str, Tensor]:
        """Compute the losses by name; see `LabelGraphMethod.batch_terms`."""
        return {
            **super().batch_terms(outputs, labels),
            "classification": classification_terms(outputs, labels),
            "pairwise": pairwise_terms(outputs, labels),
            "adversarial": adversarial_terms(outputs),
        }

    def loss_weights(self) -> dict[str, float]:
        """Return the weight of each loss term."""
        return {
            **super().loss_weights(),
            "classification": 1.0,
            "pairwise": self.config.alpha,
            "adversarial": self.config.beta,
        }
