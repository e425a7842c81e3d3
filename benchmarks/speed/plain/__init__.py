"""The methods written plainly: dense matrices, torch's own operations, one pass from features to loss.

Each function takes the parameters by the names that the library gives them and the static matrix of the label
graph, prepares what does not change, and gives the total loss of a batch of images, texts and labels.
"""

from benchmarks.speed.plain.agah import agah
from benchmarks.speed.plain.algcn import algcn
from benchmarks.speed.plain.dagnn import dagnn
from benchmarks.speed.plain.gnn_con import i_gnn_con, p_gnn_con

__all__ = ["agah", "algcn", "dagnn", "i_gnn_con", "p_gnn_con"]
