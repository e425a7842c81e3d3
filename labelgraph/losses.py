"""Losses as pure functions."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from labelgraph._core.similarity import unit_length


def classification_loss(scores: Tensor, labels: Tensor) -> Tensor:
    r"""Mean Euclidean distance of the scores from the labels.

    .. math:: \frac{1}{B} \sum_b |s_b - y_b|_2

    (ALGCN, doi:10.1109/TMM.2021.3101642.)

    Args:
        scores: :math:`s`, shape :math:`(B, C)`.
        labels: :math:`y`, multi-hot, shape :math:`(B, C)`.

    Returns:
        A scalar.

    Example:
        >>> import torch
        >>> from labelgraph.losses import classification_loss
        >>> classification_loss(torch.tensor([[3.0, 4.0]]), torch.zeros(1, 2))
        tensor(5.)
    """
    return (scores - labels).norm(dim=1).mean()


def pairwise_loss(left: Tensor, right: Tensor, labels: Tensor) -> Tensor:
    r"""Negative log-likelihood that pairs are alike, weighted by how many labels they share.

    .. math::
        \frac{1}{B^2} \sum_{ab} \log(1 + e^{\Theta_{ab}}) - S_{ab} \Theta_{ab}, \qquad
        \Theta = \tfrac{1}{2} \cos(l_a, r_b), \quad S = Y Y^\top

    (ALGCN, doi:10.1109/TMM.2021.3101642.)

    Args:
        left: :math:`l`, embeddings of one modality, shape :math:`(B, H)`.
        right: :math:`r`, embeddings of the same items, of the same or the other modality, shape
            :math:`(B, H)`.
        labels: :math:`Y`, multi-hot, shape :math:`(B, C)`.

    Returns:
        A scalar.

    Example:
        >>> import torch
        >>> from labelgraph.losses import pairwise_loss
        >>> item = torch.tensor([[1.0, 0.0]])
        >>> pairwise_loss(item, item, torch.ones(1, 1))  # log(1 + e^0.5) - 0.5
        tensor(0.4741)
    """
    return _pair_likelihood(_cosines(left, right, left.norm(dim=1), right.norm(dim=1)), labels @ labels.t())


def joint_pairwise_loss(image: Tensor, text: Tensor, labels: Tensor) -> Tensor:
    r"""The sum of `pairwise_loss` within images, between images and texts, and within texts.

    Lengths and shared labels are worked out once for all three.

    Args:
        image: Embeddings, shape :math:`(B, H)`.
        text: Embeddings of the same items, shape :math:`(B, H)`.
        labels: Multi-hot, shape :math:`(B, C)`.

    Returns:
        A scalar.

    Example:
        >>> import torch
        >>> from labelgraph.losses import joint_pairwise_loss
        >>> item = torch.tensor([[1.0, 0.0]])
        >>> joint_pairwise_loss(item, item, torch.ones(1, 1))  # 3 (log(1 + e^0.5) - 0.5)
        tensor(1.4222)
    """
    shared = labels @ labels.t()
    image_length, text_length = image.norm(dim=1), text.norm(dim=1)
    cosines = (
        _cosines(image, image, image_length, image_length),
        _cosines(image, text, image_length, text_length),
        _cosines(text, text, text_length, text_length),
    )
    return torch.stack([_pair_likelihood(cosine, shared) for cosine in cosines]).sum()


def _cosines(left: Tensor, right: Tensor, left_length: Tensor, right_length: Tensor) -> Tensor:
    return left @ right.t() / (left_length[:, None] * right_length).clamp(min=1e-6)


def _pair_likelihood(cosines: Tensor, shared: Tensor) -> Tensor:
    theta = cosines / 2
    return torch.mean(F.softplus(theta) - shared * theta)


def structure_loss(propagation: Tensor, static: Tensor, draws: Tensor) -> Tensor:
    r"""Distance of the propagation matrix from the static matrix with random edges added.

    .. math:: \sum_l \mathrm{MSE}(\hat{A}, \min(A + E_l, 0.5))

    (ALGCN, doi:10.1109/TMM.2021.3101642, one term a graph layer.) `draw_negatives` draws :math:`E`.

    Args:
        propagation: :math:`\hat{A}`, the matrix that multiplies the features, whose entry (j, i) weighs
            the edge i -> j, shape :math:`(C, C)`.
        static: :math:`A`, whose entry (i, j) weighs the edge i -> j, shape :math:`(C, C)`.
        draws: :math:`E_l`, 0 or 1, shape :math:`(L, C, C)`.

    Returns:
        A scalar.

    Example:
        >>> import torch
        >>> from labelgraph.losses import structure_loss
        >>> structure_loss(torch.zeros(2, 2), torch.eye(2), torch.zeros(1, 2, 2))
        tensor(0.1250)
    """
    target = (static + draws).clamp(max=0.5)
    return (propagation - target).square().sum() / static.numel()


def draw_negatives(num_layers: int, num_labels: int, rate: float, like: Tensor) -> Tensor:
    """Draw the random edges of `structure_loss`, Bernoulli(``rate``) per layer and pair, (L, C, C)."""
    return torch.empty(num_layers, num_labels, num_labels, dtype=like.dtype, device=like.device).bernoulli_(rate)


IMAGE, TEXT = 1, 0


def adversarial_loss(logits: Tensor, modality: int) -> Tensor:
    r"""Cross-entropy of a modality discriminator on features that all come from one modality.

    .. math:: -\frac{1}{B} \sum_b \log \mathrm{softmax}(l_b)_m

    (DAGNN, doi:10.1609/aaai.v35i3.16345.) Gradient reversal within the discriminator makes one loss serve
    both sides of the game.

    Args:
        logits: :math:`l` of `ModalityDiscriminator`, shape :math:`(B, 2)`.
        modality: What the features were made from: 1 an image, 0 a text.

    Returns:
        A scalar.

    Example:
        >>> import torch
        >>> from labelgraph.losses import adversarial_loss
        >>> adversarial_loss(torch.zeros(3, 2), 1)  # log 2: it cannot tell
        tensor(0.6931)
    """
    return -F.log_softmax(logits, 1)[:, modality].mean()


# The published denominator sharpens the similarities by this factor.
SHARPENING = 1.06


def contrastive_loss(
    image: Tensor, text: Tensor, labels: Tensor, temperature: float = 0.22, intra_weight: float = 0.14
) -> Tensor:
    r"""Multi-label contrastive loss between and within modalities.

    .. math::
        L = -\ell(R, v, t) - \ell(R, t, v) - \gamma \, (\ell(R', v, v) + \ell(R', t, t)), \qquad
        \ell(R, a, b) = \frac{1}{B} \sum_{ij} R_{ij} \Big( s_{ij} - \log \sum_k e^{1.06 \, s_{ik}} \Big)

    with :math:`s = \cos(a, b) / T`. :math:`R` spreads the weight 1 of each row over the items that share a
    label with it; :math:`R'` leaves the item itself out (P-GNN-CON, doi:10.1109/TPAMI.2022.3188547). An
    item that shares labels with no other adds nothing to the terms with :math:`R'`, one without labels
    nothing at all.

    Args:
        image: :math:`v`, shape :math:`(B, H)`.
        text: :math:`t` of the same items, shape :math:`(B, H)`.
        labels: Multi-hot, shape :math:`(B, C)`.
        temperature: :math:`T`.
        intra_weight: :math:`\gamma`, weight of the terms within a modality.

    Returns:
        A scalar.

    Example:
        >>> import torch
        >>> from labelgraph.losses import contrastive_loss
        >>> item = torch.tensor([[1.0, 0.0]])
        >>> contrastive_loss(item, item, torch.ones(1, 1), temperature=0.5)  # 2 * (1.06 - 1) / 0.5
        tensor(0.2400)
    """
    image, text = unit_length(image), unit_length(text)
    positive = (labels @ labels.t()).clamp(max=1.0)
    others = positive - torch.diag(positive.diagonal())
    positive, others = _spread(positive), _spread(others)
    cross = image @ text.t() / temperature
    inter = _row_likelihood(positive, cross) + _row_likelihood(positive, cross.t())
    intra = _row_likelihood(others, image @ image.t() / temperature) + _row_likelihood(
        others, text @ text.t() / temperature
    )
    return -inter - intra_weight * intra


def _spread(positive: Tensor) -> Tensor:
    """Rows of sum 1, but rows of nothing stay 0."""
    return positive / positive.sum(1, keepdim=True).clamp(min=1e-6)


def _row_likelihood(positive: Tensor, similarity: Tensor) -> Tensor:
    """Mean over rows of the weighted log-probabilities."""
    log_probability = similarity - (SHARPENING * similarity).logsumexp(1, keepdim=True)
    return (positive * log_probability).sum(1).mean()


def similarity_loss(left: Tensor, right: Tensor, similarity: Tensor) -> Tensor:
    r"""Mean squared distance of the cosines between codes from a given similarity.

    .. math:: \frac{1}{B^2} \sum_{ab} (\cos(l_a, r_b) - S_{ab})^2

    (AGAH, APWeb-WAIM 2023.)

    Args:
        left: :math:`l`, relaxed codes of one modality or branch, shape :math:`(B, \text{bits})`.
        right: :math:`r`, of the same items, shape :math:`(B, \text{bits})`.
        similarity: :math:`S`, shape :math:`(B, B)`, for instance of `fused_similarity`.

    Returns:
        A scalar.

    Example:
        >>> import torch
        >>> from labelgraph.losses import similarity_loss
        >>> codes = torch.tensor([[1.0, 1.0], [1.0, -1.0]])
        >>> similarity_loss(codes, codes, torch.zeros(2, 2)).round(decimals=4)
        tensor(0.5000)
    """
    return F.mse_loss(unit_length(left) @ unit_length(right).t(), similarity)


def quantisation_loss(codes: Tensor) -> Tensor:
    r"""Mean squared distance of the relaxed codes from -1 and 1, :math:`\mathrm{mean} \, (|c| - 1)^2`.

    (Deep supervised hashing, Liu et al. 2016, eq. 3, squared.)

    Args:
        codes: Relaxed codes, shape :math:`(B, \text{bits})`.

    Example:
        >>> import torch
        >>> from labelgraph.losses import quantisation_loss
        >>> quantisation_loss(torch.tensor([[1.0, -0.5]]))
        tensor(0.1250)
    """
    return (codes.abs() - 1).square().mean()


def balance_loss(codes: Tensor) -> Tensor:
    r"""Mean squared mean of each bit, :math:`\mathrm{mean}_k \, (\mathrm{mean}_b \, c_{bk})^2`.

    It is 0 where every bit is on for half of the items (spectral hashing, Weiss et al. 2008, eq. 1).

    Args:
        codes: Relaxed codes, shape :math:`(B, \text{bits})`.

    Example:
        >>> import torch
        >>> from labelgraph.losses import balance_loss
        >>> balance_loss(torch.tensor([[1.0, 1.0], [-1.0, 1.0]]))
        tensor(0.5000)
    """
    return codes.mean(0).square().mean()


def decorrelation_loss(codes: Tensor) -> Tensor:
    r"""Mean squared distance of :math:`C^\top C / B` from the identity, over all pairs of different bits.

    It is 0 where no two bits go together (spectral hashing, Weiss et al. 2008, eq. 1); one bit alone has
    no pair, and gives 0.

    Args:
        codes: Relaxed codes :math:`C`, shape :math:`(B, \text{bits})`.

    Example:
        >>> import torch
        >>> from labelgraph.losses import decorrelation_loss
        >>> decorrelation_loss(torch.tensor([[1.0, 1.0], [-1.0, -1.0]]))  # the same bit twice
        tensor(1.)
    """
    bits = codes.size(1)
    product = codes.t() @ codes / len(codes)
    apart = product - torch.diag(product.diagonal())
    return apart.square().sum() / max(1, bits * (bits - 1))


def info_nce_loss(image: Tensor, text: Tensor, temperature: float = 0.07) -> Tensor:
    r"""Draw each image and its own text together, against all others of the batch.

    Symmetric InfoNCE (van den Oord et al. 2018, arXiv:1807.03748, eq. 4; both ways as in CLIP, Radford et al. 2021,
    arXiv:2103.00020): with the cosines :math:`s_{ij}` of image i and text j,

    .. math:: L = -\frac{1}{2B} \sum_i \left(\log \frac{e^{s_{ii} / \tau}}{\sum_j e^{s_{ij} / \tau}}
        + \log \frac{e^{s_{ii} / \tau}}{\sum_j e^{s_{ji} / \tau}}\right)

    Args:
        image: Embeddings of the images, shape :math:`(B, H)`, of any length.
        text: Embeddings of their texts, shape :math:`(B, H)`.
        temperature: :math:`\tau`.

    Returns:
        A scalar.

    Raises:
        ValueError: If the temperature is not positive, or the shapes differ.

    Example:
        >>> import torch
        >>> from labelgraph.losses import info_nce_loss
        >>> info_nce_loss(torch.eye(2), torch.eye(2), temperature=1.0)  # log(1 + 1 / e)
        tensor(0.3133)
    """
    if not temperature > 0:
        raise ValueError(f"'temperature' must be positive (got {temperature})")
    if image.shape != text.shape:
        raise ValueError(f"'text' must have the shape of 'image', {tuple(image.shape)} (got {tuple(text.shape)})")
    cosines = unit_length(image) @ unit_length(text).t() / temperature
    own = torch.arange(len(cosines), device=cosines.device)
    return (F.cross_entropy(cosines, own) + F.cross_entropy(cosines.t(), own)) / 2
