"""Clusters of many linear classifiers, by which the labels with the highest scores are found without all scores."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor
from torch.nn import functional as F

from labelgraph._core.devices import in_threads
from labelgraph._core.similarity import unit_length

SAMPLE = 512  # Vectors by which a group is halved.
QUERIES = 512  # Queries by whose scores labels are clustered.
ROOT = 4.0  # Of the probabilities by which labels are clustered, so that small ones count too.
ROUNDS = 4  # Rounds of two means for each half.
TURNS = 12  # Turns of k-means, in each of which every second label finds its cluster.
FREQUENT = 0.5  # Labels that are always scored, for each cluster.
DIRECTIONS = 64  # Main directions of the vectors by which labels are clustered.
MEANS_KEPT = 0.998  # Share of the squared scores of means that their factors keep.
FACTOR_QUERIES = 4096  # Queries by which these factors are found.
LARGEST = 2  # Size of the largest cluster, in mean sizes.
CACHED_SCORES = 2**21  # Scores that are read again before they leave the cache.
THREAD_QUERIES = 2**9  # Least number of queries of a thread.
BLOCK_SCORES = 2**27  # Scores in memory at a time, 512 MiB: the more queries share a product, the faster it is.


class LabelClusters:
    r"""Find the highest of the scores :math:`s_{bc} = q_b \cdot k_c + a_c` of many labels from the scores of some.

    There are :math:`K \approx 6 \sqrt C` clusters of labels. An item scores the means of all clusters, the labels of
    the :math:`p` clusters with the highest scores, and the :math:`F = K / 2` labels with the highest constants
    :math:`a_c`, which are frequent. So the number of products for an item grows with :math:`\sqrt C`. Scores are
    exact, but a label with a high score is missed if it is in another cluster. With all clusters, no label is missed.

    Labels that score high for the same queries of a sample belong together: they are clustered by the directions of
    their vectors :math:`(\sigma(s_{bc})^{1/4})_b`, projected on their 64 main directions, by spherical k-means from
    groups that are halved by two means. The mean of a cluster is weighted by how high its labels score. If it saves
    time, means are the product of two factors that keep .998 of their squared scores for the queries. Clusters of more
    than twice the mean size are split, which bounds the time of an item. Clusters of classifiers are known from extreme
    classification (Parabel, doi:10.1145/3178876.3185998).

    Args:
        keys: Classifiers :math:`k_c`, shape (C, D).
        constants: Constants :math:`a_c`, a column for each kind of query, shape (C, S).
        queries: Queries by whose scores the labels are clustered, at most 512 of them, shape (B, D). Scores are
            log-odds.
        num_clusters: Number of clusters before large ones are split, a power of 2; defaults to the one nearest to
            :math:`6 \sqrt C`.
        num_frequent: Number of labels that are always scored; defaults to one for two clusters.

    Attributes:
        num_clusters: Number of clusters.

    Raises:
        ValueError: If the number of clusters is not a power of 2, or there are no queries.

    Example:
        >>> import torch
        >>> from labelgraph.nn import LabelClusters
        >>> clusters = LabelClusters(torch.eye(8), torch.zeros(8, 1), torch.eye(8), 2, num_frequent=2)
        >>> clusters.highest(torch.eye(8)[[5]], column=0, k=1, probes=2)
        (tensor([[5]]), tensor([[1.]]))
    """

    def __init__(
        self,
        keys: Tensor,
        constants: Tensor,
        queries: Tensor,
        num_clusters: int | None = None,
        num_frequent: int | None = None,
    ) -> None:
        count = num_clusters or 2 ** max(0, round(math.log2(6 * math.sqrt(len(keys)))))
        if count < 1 or count & (count - 1):
            raise ValueError(f"'num_clusters' must be a power of 2 (got {count})")
        if not len(queries):
            raise ValueError("'queries' must have at least one row (got none)")
        order = constants.amax(1).argsort(descending=True, stable=True)
        frequent, rest = order.tensor_split([int(FREQUENT * count) if num_frequent is None else num_frequent])
        scores = _sample_scores(keys[rest], constants[rest], queries)
        rows = _clusters(scores, count)
        self._sizes = [len(group) for group in rows]
        sizes = torch.tensor(self._sizes, dtype=torch.long, device=keys.device)
        self.num_clusters, self._largest = len(rows), max(self._sizes, default=0)
        self._frequent, self._labels = len(frequent), torch.cat([frequent, *(rest[group] for group in rows)])
        self._keys, self._constants = keys[self._labels], constants[self._labels].t().contiguous()
        self._cluster_keys = self._keys[self._frequent :].split(self._sizes)
        self._starts = self._frequent + sizes.cumsum(0) - sizes
        self._projection, self._means, self._levels = None, keys[:0], constants[:0].t()
        if rows:
            height = scores.mean(1) + scores.std(1, correction=0)
            weights = [height[group].softmax(0).to(keys.dtype) for group in rows]
            pairs = [(weight, rest[group]) for weight, group in zip(weights, rows, strict=True)]
            self._projection, self._means = _factors(
                torch.stack([weight @ keys[group] for weight, group in pairs]), queries
            )
            self._levels = torch.stack([weight @ constants[group] for weight, group in pairs], 1)

    def products(self, probes: int) -> int:
        """Return the largest number of products of an item with classifiers and means."""
        return self._frequent + self.num_clusters + min(probes, self.num_clusters) * self._largest

    @torch.no_grad()
    def highest(self, queries: Tensor, column: int, k: int, probes: int) -> tuple[Tensor, Tensor]:
        """Find the labels with the highest scores, in no order and without gradients.

        Args:
            queries: The vectors :math:`q_b`, shape (B, D).
            column: Column of the constants.
            k: Number of labels; at most all are found.
            probes: Number of clusters whose labels are scored. If there are fewer than ``k`` frequent labels, all
                clusters are scored.

        Returns:
            Label numbers and scores, shape (B, k) each.
        """
        probes = min(probes if k <= self._frequent else self.num_clusters, self.num_clusters)
        threads = max(1, min(torch.get_num_threads(), len(queries) // THREAD_QUERIES)) if queries.is_cpu else 1
        width = probes * self._largest + self._frequent
        rows = max(1, BLOCK_SCORES // max(1, threads * width))

        def task(part: Tensor) -> list[tuple[Tensor, Tensor]]:
            blocks = part.tensor_split(max(1, math.ceil(len(part) / rows)))
            room = part.new_empty(len(blocks[0]), width)  # New memory for each block takes as long as a product.
            return [self._highest(block, column, min(k, len(self._labels)), probes, room) for block in blocks]

        found = in_threads(task, queries.tensor_split(threads)) if threads > 1 else [task(queries)]
        labels, scores = (torch.cat(each) for each in zip(*itertools.chain(*found), strict=True))
        return labels, scores

    def _highest(self, queries: Tensor, column: int, k: int, probes: int, room: Tensor) -> tuple[Tensor, Tensor]:
        # The scores of the labels of the clusters, each with as many places as the largest, then of frequent labels.
        scores, frequent = room[: len(queries)], probes * self._largest
        keys, constants = self._keys[: self._frequent], self._constants[column, : self._frequent]
        torch.addmm(constants, queries, keys.t(), out=scores[:, frequent:])
        if not probes:
            highest, row = scores.topk(k, sorted=False)
            return self._labels[row], highest
        clusters = self._best_clusters(queries, column, probes)
        of_clusters = scores[:, :frequent].fill_(-math.inf).unflatten(1, (probes, -1))
        self._score_clusters(queries, column, clusters, of_clusters)
        highest, place = scores.topk(k, sorted=False)
        cluster = clusters.gather(1, place.div(self._largest, rounding_mode="floor").clamp(max=probes - 1))
        row = torch.where(place < frequent, self._starts[cluster] + place % self._largest, place - frequent)
        # A place after the end of a cluster has no score; any label can stand there.
        return self._labels[row.clamp(max=len(self._labels) - 1)], highest

    def _best_clusters(self, queries: Tensor, column: int, probes: int) -> Tensor:
        rows = max(1, CACHED_SCORES // max(1, self.num_clusters))
        return torch.cat(
            [self._mean_scores(some, column).topk(probes, sorted=False)[1] for some in queries.split(rows)]
        )

    def _mean_scores(self, queries: Tensor, column: int) -> Tensor:
        asking = queries if self._projection is None else queries @ self._projection
        return torch.addmm(self._levels[column], asking, self._means.t())

    def _score_clusters(self, queries: Tensor, column: int, clusters: Tensor, scores: Tensor) -> None:
        """Write the scores of the labels of some clusters of each query, shape (B, probes, largest)."""
        # Queries that chose the same cluster share one product.
        pairs = clusters.flatten().argsort()
        counts = clusters.flatten().bincount(minlength=self.num_clusters).tolist()
        rows = pairs.div(clusters.shape[1], rounding_mode="floor").split(counts)
        places = (pairs % clusters.shape[1]).split(counts)
        constants = self._constants[column, self._frequent :].split(self._sizes)
        for row, place, keys, constant in zip(rows, places, self._cluster_keys, constants, strict=True):
            if len(row):
                scores[row, place, : len(keys)] = torch.addmm(constant, queries.index_select(0, row), keys.t())


def _sample_scores(keys: Tensor, constants: Tensor, queries: Tensor) -> Tensor:
    """Return the scores of labels for some of the queries, at least float32, (C, at most `QUERIES`); no NaN."""
    sample = queries[:: math.ceil(len(queries) / QUERIES)]
    scores = torch.addmm(constants.mean(1, keepdim=True), keys, sample.t())
    return scores.to(torch.promote_types(scores.dtype, torch.float32)).nan_to_num()


def _factors(means: Tensor, queries: Tensor) -> tuple[Tensor | None, Tensor]:
    """Return factors of means: a projection, (D, r), and the means in its space, (K, r).

    The mean square of the products of queries and means is that of two matrices: the root of the second moment of the
    queries, and the means. The factors are their main common directions.
    """
    asked, held = (side.cpu().double() for side in (queries[:: math.ceil(len(queries) / FACTOR_QUERIES)], means))
    if not (asked.isfinite().all() and held.isfinite().all()):  # Who reads the scores says so.
        return None, means
    moments, axes = torch.linalg.eigh(asked.t() @ asked / len(asked))
    lengths = moments.clamp(min=max(1e-12 * moments[-1].item(), 1e-30)).sqrt()
    seen = held @ (axes * lengths)
    squares, directions = torch.linalg.eigh(seen.t() @ seen)
    sums = squares.flip(0).cumsum(0)
    rank = int((sums < MEANS_KEPT * sums[-1]).sum()) + 1
    if rank * sum(means.shape) >= means.numel():
        return None, means
    main = directions[:, -rank:]
    return (axes / lengths @ main).to(means), (seen @ main).to(means)


def _clusters(scores: Tensor, count: int) -> list[Tensor]:
    """Cluster labels by their scores, and return the rows of each cluster."""
    if not len(scores):
        return []
    logs = F.logsigmoid(scores)
    own = _main_parts(unit_length(((logs - logs.amax(1, keepdim=True)) / ROOT).exp()))
    cluster = own.new_empty(len(own), dtype=torch.long)
    for number, group in enumerate(_halves(own, torch.arange(len(own), device=own.device), count)):
        cluster[group] = number
    means = own.new_zeros(count, own.shape[1])
    for turn in range(TURNS):
        sizes = cluster.bincount(minlength=count).unsqueeze(1)
        sums = torch.zeros_like(means).index_add_(0, cluster, own)
        means = torch.where(sizes > 0, sums / sizes.clamp(min=1), means)
        lengths = means.square().sum(1) / 2
        some = slice(turn % 2, None, 2)
        blocks = own[some].split(max(1, CACHED_SCORES // count))
        cluster[some] = torch.cat([(block @ means.t() - lengths).argmax(1) for block in blocks])
    largest = LARGEST * math.ceil(len(own) / count)
    groups = cluster.argsort(stable=True).split(cluster.bincount(minlength=count).tolist())
    parts = [part for group in groups for part in _halves(own, group, math.ceil(len(group) / largest))]
    return [part for part in parts if len(part)]


def _main_parts(vectors: Tensor) -> Tensor:
    """Project vectors on their main directions, which are found from some of them."""
    sample = vectors[:: math.ceil(len(vectors) / (SAMPLE * DIRECTIONS))]
    return vectors @ torch.linalg.eigh(sample.t() @ sample).eigenvectors[:, -DIRECTIONS:]


def _halves(vectors: Tensor, rows: Tensor, count: int) -> list[Tensor]:
    """Halve rows by two means until there are at least ``count`` groups, of equal size up to one."""
    if count <= 1:
        return [rows]
    sample = vectors[rows[:: math.ceil(len(rows) / SAMPLE) or 1]]
    direction = sample[-1:].sum(0) - sample[:1].sum(0)
    for _ in range(ROUNDS):
        low, high = (sample @ direction).argsort(stable=True).tensor_split(2)
        direction = sample[high].mean(0) - sample[low].mean(0)
    rows = rows[(vectors[rows] @ direction).argsort(stable=True)]
    return [part for half in rows.tensor_split(2) for part in _halves(vectors, half, math.ceil(count / 2))]
