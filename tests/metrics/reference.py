"""Retrieval metrics as slow, readable loops over one ranked list of grades."""

import math
from fractions import Fraction
from itertools import permutations, product

from labelgraph.metrics import evaluate


def retrieval_metrics(*sides, metrics=None, **options):
    """The means of metrics by name, from the report; sides are embeddings, labels and perhaps the names."""
    if len(sides) == 5:
        *sides, metrics = sides
    return evaluate(*sides, metrics=metrics, ks=(), recall=(), **options).metrics


def metric(name, grades):
    """A metric by its full name, for grades in ranked order without excluded items."""
    kind, _, rest = name.partition("@")
    cut, _, variant = rest.partition("/")
    kind, variant = kind.partition("/")[0], variant or kind.partition("/")[2]
    hits = [rank for rank, grade in enumerate(grades, 1) if grade]
    if kind == "relevant":
        return len(hits)
    if cut.startswith("min("):
        k = min(int(cut.removeprefix("min(").removesuffix(",R)")), len(hits))
        return sum(rank <= k for rank in hits) / k if k else 0.0
    if kind == "ndcg":
        return ndcg(grades, int(cut) if cut else len(grades), variant)
    if not hits:
        return 0.0
    if kind == "map":
        return average_precision(hits, int(cut) if cut else len(grades), variant or "topk")
    if cut.startswith("recall"):
        needed = max(1, math.ceil(Fraction(cut.removeprefix("recall")) * len(hits)))
        return needed / hits[needed - 1]
    k = len(hits) if kind == "r-precision" else int(cut)
    return sum(rank <= k for rank in hits) / (len(hits) if kind == "recall" else k)


def average_precision(hits, k, definition):
    precisions = [number / rank for number, rank in enumerate(hits, 1)]
    if definition == "first-k":
        first = precisions[:k]
        return sum(first) / len(first)
    inside = [precision for precision, rank in zip(precisions, hits, strict=True) if rank <= k]
    divisor = {"topk": len(inside), "recall-normalised": len(hits), "min(k,R)": min(k, len(hits))}[definition]
    return sum(inside) / divisor if inside else 0.0


def ndcg(grades, k, gain):
    def dcg(row):
        gains = row if gain == "linear" else [2**grade - 1 for grade in row]
        return sum(value / math.log2(1 + rank) for rank, value in enumerate(gains[:k], 1))

    ideal = dcg(sorted(grades, reverse=True))
    return dcg(grades) / ideal if ideal else 0.0


def within(name, grades, distances):
    """A metric of the items within a Hamming radius."""
    kind, _, radius = name.partition("@r")
    inside = [grade for grade, distance in zip(grades, distances, strict=True) if distance <= int(radius)]
    hits, result = sum(map(bool, inside)), sum(map(bool, grades))
    if kind == "lookup":
        return float(hits > 0)
    divisor = len(inside) if kind == "precision" else result
    return hits / divisor if divisor else 0.0


def of_labels(name, query, items):
    """A metric of label sets, from the query's labels and the labels of the items in ranked order."""
    kind, _, cut = name.partition("@")
    asked = {label for label, carried in enumerate(query) if carried}
    values = []
    for item in items[: int(cut)]:
        held = {label for label, carried in enumerate(item) if carried}
        if kind == "exact":
            values.append(float(bool(asked) and asked == held))
        else:
            values.append(len(asked & held) / len(asked | held) if asked | held else 0.0)
    return sum(values) / int(cut)


def of_own(name, own):
    """A metric of the query's own pair, from a mask of the items in ranked order."""
    if not any(own):
        return math.nan
    rank = own.index(True) + 1
    return float(rank) if name == "own-rank" else float(rank <= int(name.partition("@")[2]))


def orders(buckets):
    """Every order of the items within their buckets, each once for each permutation, as whole rows."""
    for arrangement in product(*(permutations(bucket) for bucket in buckets)):
        yield [grade for bucket in arrangement for grade in bucket]


def expected(name, buckets):
    """The mean of a metric over all orders."""
    values = [metric(name, grades) for grades in orders(buckets)]
    return sum(values) / len(values)
