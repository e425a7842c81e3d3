"""Label scores by classifiers that a label graph gives."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from labelgraph.nn.label_branch import LabelBranch


class GraphClassifier(nn.Module):
    r"""Label scores by classifiers of a label graph, :math:`s = h Z^\top / \sqrt{H} + b`.

    Args:
        label_branch: Gives the classifiers :math:`Z`, shape :math:`(C, H)`.
        num_labels: :math:`C`.

    Shapes:
        - **input:** hidden units :math:`(B, H)`.
        - **output:** scores :math:`(B, C)`.

    Example:
        >>> import torch
        >>> from labelgraph.graph import BinaryAdjacency, cooccurrence_graph
        >>> from labelgraph.nn import GraphClassifier, LabelBranch, LabelEmbedding, LabelEncoder, StaticAdjacency
        >>> graph = cooccurrence_graph([[1, 1, 0], [0, 0, 1]])
        >>> adjacency = StaticAdjacency(BinaryAdjacency()(graph))
        >>> branch = LabelBranch(LabelEmbedding(graph, "one-hot"), adjacency, LabelEncoder(3, 8))
        >>> GraphClassifier(branch, 3)(torch.rand(2, 8)).shape
        torch.Size([2, 3])
    """

    def __init__(self, label_branch: LabelBranch, num_labels: int) -> None:
        super().__init__()
        self.label_branch = label_branch
        self.bias = nn.Parameter(torch.zeros(num_labels))

    def forward(self, hidden: Tensor) -> Tensor:
        """Score a batch."""
        classifiers, *_ = self.label_branch()
        return F.linear(hidden, classifiers / hidden.shape[1] ** 0.5, self.bias)
