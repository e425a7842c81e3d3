"""Names of metrics, protocols and options of an evaluation; read without PyTorch, so that help is quick."""

DEFAULT_METRICS = (
    "map", "map@50/topk", "precision@10", "recall@10", "r-precision", "ndcg@10/linear", "jaccard@10", "exact@10",
)  # fmt: skip
OWN_METRICS = ("own@1", "own@5", "own@10", "own-rank")  # Where the own pairs of the queries are in the database.
DIRECTIONS = ("image_to_text", "text_to_image")
# The split that searches, and the split that is searched.
PROTOCOLS = {"test-vs-test": ("test", "test"), "query-vs-database": ("query", "database")}
TIES = ("database", "expected")
WITHOUT_RELEVANT = ("zero", "skip")
