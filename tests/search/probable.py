"""A method of label probabilities: features of either side are logits, and words are labels or their colours."""

import torch

from labelgraph.data import CrossModalData
from labelgraph.graph import cooccurrence_graph
from labelgraph.methods import METHODS, Method

LABELS = ["bird", "fish", "night_sky", "tree"]
WORDS = ["blue", "caw", "green", "swim"]  # No word is a label.
MEANT = {"blue": ["fish", "night_sky"], "caw": ["bird"], "green": ["tree"], "swim": ["fish"]}


class Probable(Method):
    """Probabilities are those of a table by word, and of images their features."""

    name = "probable"
    Config = METHODS["algcn"].Config
    similarity = "jaccard"
    similarity_labels = len(LABELS)

    def __init__(self):
        super().__init__()
        table = torch.tensor([[float(label in MEANT[word]) for label in LABELS] for word in WORDS])
        self.table = torch.nn.Parameter(table)
        self.encoders = {"text": {"encoder": "bag-of-words", "vocabulary": WORDS}}
        self._channels = (len(LABELS), len(WORDS))
        self._graph = cooccurrence_graph(torch.eye(len(LABELS)), LABELS)

    @classmethod
    def parts(cls, config, image_channels, text_channels, graph):
        return {}

    def forward(self, image, text):
        return {}

    def loss_terms(self, outputs, labels):
        return {}

    def loss_weights(self):
        return {}

    def encode_image(self, image):
        return image.clamp(0, 1)

    def encode_text(self, text):
        return (text @ self.table * 0.8 + 0.05).clamp(0, 1)


def pictures():
    """Two pictures a label, the second of a second label too, with captions."""
    image = torch.eye(len(LABELS)).repeat(2, 1) * 0.9
    image[5:, 0] = 0.6  # All but the second bird show a bird, too.
    titles = [
        "a caw above",
        "a blue fin",
        "stars",
        "leaves",
        "a red caw",
        "a red fin swims",
        "red stars",
        "a green oak",
    ]
    text = torch.tensor([[float(word in title) for word in WORDS] for title in titles])
    labels = (image > 0.5).float()
    ids = [f"{name} {i}" for i in (1, 2) for name in LABELS]
    return CrossModalData(image, text, labels, label_names=LABELS, ids=ids, titles=titles)
