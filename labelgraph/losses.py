"""Loss functions without parameters or state."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from labelgraph._core.multi_hot import item_labels
from labelgraph._core.similarity import unit_length


def classification_loss(scores: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
    r"""Compute the mean Euclidean distance between label scores and labels.

    .. math:: \frac{1}{B} \sum_b |s_b - y_b|_2 \quad\text{or}\quad
        \frac{1}{B} \sum_b \sqrt{\sum_k w_k (s_{bk} - y_{bk})^2}

    (ALGCN, doi:10.1109/TMM.2021.3101642.) Of many labels, some stand for all, see `draw_labels`. The sum of their
    weighted squares is an unbiased estimate of the squared distance; its square root is smaller on average than the
    distance, by about an eighth of the relative variance of the sum.

    Args:
        scores: Label scores :math:`s`, shape :math:`(B, C)`, or of drawn labels :math:`(B, K)`.
        labels: Multi-hot labels :math:`y` of the same shape.
        weights: Number of labels :math:`w` for which each drawn label stands, shape :math:`(K,)`; defaults to 1.

    Returns:
        A scalar.

    Example:
        >>> import torch
        >>> from labelgraph.losses import classification_loss
        >>> classification_loss(torch.tensor([[3.0, 4.0]]), torch.zeros(1, 2))
        tensor(5.)
    """
    distances = scores - labels
    return (distances if weights is None else distances * weights.sqrt()).norm(dim=1).mean()


def pairwise_loss(left: Tensor, right: Tensor, labels: Tensor) -> Tensor:
    r"""Compute the negative log-likelihood of pairs, in which :math:`S_{ab}` is the number of shared labels.

    .. math::
        \frac{1}{B^2} \sum_{ab} \log(1 + e^{\Theta_{ab}}) - S_{ab} \Theta_{ab}, \qquad
        \Theta = \tfrac{1}{2} \cos(l_a, r_b), \quad S = Y Y^\top

    (ALGCN, doi:10.1109/TMM.2021.3101642.)

    Args:
        left: Embeddings :math:`l` of one modality, shape :math:`(B, H)`.
        right: Embeddings :math:`r` of the same items in the same or the other modality, shape :math:`(B, H)`.
        labels: Multi-hot labels :math:`Y`, shape :math:`(B, C)`.

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
    r"""Compute the sum of `pairwise_loss` within images, between images and texts, and within texts.

    Lengths of embeddings and numbers of shared labels are computed only once for the three losses.

    Args:
        image: Image embeddings, shape :math:`(B, H)`.
        text: Text embeddings of the same items, shape :math:`(B, H)`.
        labels: Multi-hot labels, shape :math:`(B, C)`.

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
    r"""Compute the squared distance between the propagation matrix and the static matrix with added random edges.

    .. math:: \sum_l \mathrm{MSE}(\hat{A}, \min(A + E_l, 0.5))

    (ALGCN, doi:10.1109/TMM.2021.3101642, with one term for each graph layer.) `draw_negatives` draws the random edges
    :math:`E_l`.

    Args:
        propagation: Matrix :math:`\hat{A}` that multiplies the features, shape :math:`(C, C)`; its entry (j, i) is the
            weight of the edge i -> j. Or some of its entries, shape :math:`(S,)`: of a sparse graph those of its edges,
            because no other entry depends on a parameter.
        static: Static matrix :math:`A`, shape :math:`(C, C)`; its entry (i, j) is the weight of the edge i -> j. Or the
            same entries, shape :math:`(S,)`.
        draws: Random edges :math:`E_l`, 0 or 1, shape :math:`(L, C, C)` or :math:`(L, S)`.

    Returns:
        A scalar.

    Example:
        >>> import torch
        >>> from labelgraph.losses import structure_loss
        >>> structure_loss(torch.zeros(2, 2), torch.eye(2), torch.zeros(1, 2, 2))
        tensor(0.1250)
    """
    target = (static + draws).clamp(max=0.5)
    return (propagation - target).square().sum() / max(1, static.numel())  # With zero hops, no edge is sampled.


def draw_negatives(num_layers: int, rate: float, static: Tensor) -> Tensor:
    """Draw the random edges of `structure_loss`, Bernoulli(``rate``) for each layer and entry of ``static``."""
    return static.new_empty(num_layers, *static.shape).bernoulli_(rate)


IMAGE, TEXT = 1, 0


def adversarial_loss(logits: Tensor, modality: int) -> Tensor:
    r"""Compute the cross-entropy of a modality discriminator on features of a single modality.

    .. math:: -\frac{1}{B} \sum_b \log \mathrm{softmax}(l_b)_m

    (DAGNN, doi:10.1609/aaai.v35i3.16345.) As the discriminator reverses the gradient, the same loss trains the
    discriminator and the modules that compute the features.

    Args:
        logits: Logits :math:`l` of `ModalityDiscriminator`, shape :math:`(B, 2)`.
        modality: Modality :math:`m` from which the features were computed: 1 for images, 0 for texts.

    Returns:
        A scalar.

    Example:
        >>> import torch
        >>> from labelgraph.losses import adversarial_loss
        >>> adversarial_loss(torch.zeros(3, 2), 1)  # log 2: undecided logits
        tensor(0.6931)
    """
    return -F.log_softmax(logits, 1)[:, modality].mean()


# Factor of the similarities in the published denominator.
SHARPENING = 1.06


def contrastive_loss(
    image: Tensor, text: Tensor, labels: Tensor, temperature: float = 0.22, intra_weight: float = 0.14
) -> Tensor:
    r"""Compute the multi-label contrastive loss between and within modalities.

    .. math::
        L = -\ell(R, v, t) - \ell(R, t, v) - \gamma \, (\ell(R', v, v) + \ell(R', t, t)), \qquad
        \ell(R, a, b) = \frac{1}{B} \sum_{ij} R_{ij} \Bigl( s_{ij} - \log \sum_k e^{1.06 \, s_{ik}} \Bigr)

    with :math:`s = \cos(a, b) / T`. Row :math:`i` of :math:`R` divides the weight 1 equally among the items that share
    a label with item :math:`i`; :math:`R'` excludes item :math:`i` itself (P-GNN-CON,
    doi:10.1109/TPAMI.2022.3188547). The row of an item that shares no label with another item is 0 in :math:`R'`. The
    row of an item without labels is 0 in :math:`R`, too.

    Args:
        image: Image embeddings :math:`v`, shape :math:`(B, H)`.
        text: Text embeddings :math:`t` of the same items, shape :math:`(B, H)`.
        labels: Multi-hot labels, shape :math:`(B, C)`.
        temperature: Temperature :math:`T`.
        intra_weight: Weight :math:`\gamma` of the terms within a modality.

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
    """Normalise rows to the sum 1; rows of zeros remain zero."""
    return positive / positive.sum(1, keepdim=True).clamp(min=1e-6)


def _row_likelihood(positive: Tensor, similarity: Tensor) -> Tensor:
    """Return the mean over rows of the weighted log-probabilities."""
    log_probability = similarity - (SHARPENING * similarity).logsumexp(1, keepdim=True)
    return (positive * log_probability).sum(1).mean()


def similarity_loss(left: Tensor, right: Tensor, similarity: Tensor) -> Tensor:
    r"""Compute the mean squared difference between the cosines of codes and a given similarity.

    .. math:: \frac{1}{B^2} \sum_{ab} (\cos(l_a, r_b) - S_{ab})^2

    (AGAH, APWeb-WAIM 2023.)

    Args:
        left: Relaxed codes :math:`l` of one modality or branch, shape :math:`(B, \text{bits})`.
        right: Relaxed codes :math:`r` of the same items, shape :math:`(B, \text{bits})`.
        similarity: Similarity :math:`S`, shape :math:`(B, B)`, for instance the result of `fused_similarity`.

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
    r"""Compute the mean squared distance of relaxed codes from -1 or 1, :math:`\mathrm{mean} \, (|c| - 1)^2`.

    (After deep supervised hashing, Liu et al. 2016, eq. 3, with squared distances.)

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
    r"""Compute the mean of the squared means of all bits, :math:`\mathrm{mean}_k \, (\mathrm{mean}_b \, c_{bk})^2`.

    The loss of binary codes is 0 if every bit is 1 for half of the items (spectral hashing, Weiss et al. 2008, eq. 1).

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
    r"""Compute the mean squared entry of :math:`C^\top C / B` over all pairs of different bits.

    The loss is 0 if no two bits are correlated (spectral hashing, Weiss et al. 2008, eq. 1). The loss of codes with a
    single bit is 0.

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
    off_diagonal = product - torch.diag(product.diagonal())
    return off_diagonal.square().sum() / max(1, bits * (bits - 1))


def info_nce_loss(image: Tensor, text: Tensor, temperature: float = 0.07) -> Tensor:
    r"""Compute the symmetric InfoNCE loss, which contrasts matching image-text pairs with all other pairs of a batch.

    (van den Oord et al. 2018, arXiv:1807.03748, eq. 4; in both directions as in CLIP, Radford et al. 2021,
    arXiv:2103.00020.) With the cosine :math:`s_{ij}` of image i and text j, the loss is

    .. math:: L = -\frac{1}{2B} \sum_i \left(\log \frac{e^{s_{ii} / \tau}}{\sum_j e^{s_{ij} / \tau}}
        + \log \frac{e^{s_{ii} / \tau}}{\sum_j e^{s_{ji} / \tau}}\right)

    Args:
        image: Image embeddings, shape :math:`(B, H)`; they need not have unit length.
        text: Embeddings of the matching texts, shape :math:`(B, H)`.
        temperature: Temperature :math:`\tau`.

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
    match = torch.arange(len(cosines), device=cosines.device)
    return (F.cross_entropy(cosines, match) + F.cross_entropy(cosines.t(), match)) / 2


class DrawnLabels(NamedTuple):
    """Labels that stand for all labels in the loss of a batch, see `draw_labels`.

    Args:
        labels: Column numbers, int64, (K,).
        targets: Whether each item has each of these labels, 0 or 1, (B, K).
        weights: Number of labels for which each of these labels stands, (K,).
    """

    labels: Tensor
    targets: Tensor
    weights: Tensor


def draw_labels(labels: Tensor, num_negatives: int) -> DrawnLabels:
    r"""Choose the labels that `sampled_cross_entropy` scores: all labels of the batch, and random others.

    The interval :math:`[0, C)` is divided into :math:`M` parts of equal length, and a number is drawn uniformly from
    each part. Rounded down, these numbers name :math:`M` labels, and the expected count of every label is
    :math:`M / C`. Labels of the batch among them are left out, because they are already chosen. The other labels have
    the weight :math:`C / M`, the inverse of their expected count. With :math:`M = C`, all labels are chosen, with the
    weight 1.

    Args:
        labels: Multi-hot labels of a batch, dense or CSR, shape :math:`(B, C)`.
        num_negatives: Number of random labels :math:`M`; at most :math:`C` are drawn.

    Raises:
        ValueError: If ``num_negatives`` is below 1.

    Example:
        >>> import torch
        >>> from labelgraph.losses import draw_labels
        >>> drawn = draw_labels(torch.tensor([[0.0, 1.0, 0.0]]), num_negatives=3)
        >>> drawn.labels, drawn.targets
        (tensor([1, 0, 2]), tensor([[1., 0., 0.]]))
    """
    if num_negatives < 1:
        raise ValueError(f"'num_negatives' must be at least 1 (got {num_negatives})")
    item, label = (each.to(labels.device) for each in item_labels(labels))
    own, column = label.unique(return_inverse=True)
    num_labels, size = labels.shape[1], min(num_negatives, labels.shape[1])
    # In float64, because float32 has no numbers between those of 2^24 labels.
    places = torch.arange(size, dtype=torch.float64) + torch.rand(size, dtype=torch.float64)
    drawn = (places * (num_labels / size)).long().clamp(max=num_labels - 1).to(labels.device)
    others = drawn[~torch.isin(drawn, own)]
    targets = torch.zeros(len(labels), len(own) + len(others), dtype=labels.dtype, device=labels.device)
    targets[item, column] = 1
    weights = torch.ones_like(targets[0])
    weights[len(own) :] = num_labels / size
    return DrawnLabels(torch.cat([own, others]), targets, weights)


def sampled_cross_entropy(scores: Tensor, drawn: DrawnLabels) -> Tensor:
    r"""Estimate binary cross-entropy over all labels, summed over labels and averaged over items, from some labels.

    .. math:: L = \frac{1}{B} \sum_b \sum_{k} w_k \bigl(\log(1 + e^{s_{bk}}) - y_{bk} s_{bk}\bigr)

    The labels of the batch enter with the weight 1, and each random other label with the inverse of its expected count
    :math:`w_k`. The estimate is therefore unbiased: over the random labels of `draw_labels`, the expectation of
    :math:`L` and of its gradient are the loss over all :math:`C` labels and its gradient. The correction for the
    expected count is a factor here, where sampled softmax subtracts its logarithm from the logits ("logQ"), because
    the labels enter binary cross-entropy as a sum. With all labels drawn, :math:`L` is the loss over all labels.

    Args:
        scores: Scores :math:`s` of the chosen labels, shape :math:`(B, K)`.
        drawn: The chosen labels with their targets :math:`y` and weights :math:`w`.

    Returns:
        A scalar.

    Example:
        >>> import torch
        >>> from labelgraph.losses import draw_labels, sampled_cross_entropy
        >>> drawn = draw_labels(torch.tensor([[1.0, 0.0, 0.0, 0.0]]), num_negatives=4)
        >>> sampled_cross_entropy(torch.zeros(1, 4), drawn)  # 4 log 2
        tensor(2.7726)
    """
    losses = F.binary_cross_entropy_with_logits(scores, drawn.targets.to(scores), reduction="none")
    # A matrix product would have half the precision under autocast.
    return (losses * drawn.weights.to(losses)).sum(1).mean()
