"""Names of metrics, protocols and options of an evaluation, without PyTorch, so that command help is fast."""

DEFAULT_METRICS = (
    "map", "map@50/topk", "precision@10", "recall@10", "r-precision", "ndcg@10/linear", "jaccard@10", "exact@10",
)  # fmt: skip
OWN_METRICS = ("own@1", "own@5", "own@10", "own-rank")  # Used if the own pairs of the queries are in the database.
DIRECTIONS = ("image_to_text", "text_to_image")
# The split of the queries, and the split of the gallery.
PROTOCOLS = {"test-vs-test": ("test", "test"), "query-vs-database": ("query", "database")}
TIES = ("database", "expected")
WITHOUT_RELEVANT = ("zero", "skip")
