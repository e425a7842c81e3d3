"""What was measured, for people: results as JSON and tables, curves, drawings of label graphs."""

from labelgraph.report.contact_sheet import contact_sheet
from labelgraph.report.curves import plot_discriminators, plot_precision_recall, plot_quality, plot_training
from labelgraph.report.drawing import draw_graph, draw_heat_map, grouped_order
from labelgraph.report.reliability import plot_reliability
from labelgraph.report.results import Result, read_results, summarize_results, write_results
from labelgraph.report.tables import markdown_table, results_table

__all__ = [
    "Result",
    "contact_sheet",
    "draw_graph",
    "draw_heat_map",
    "grouped_order",
    "markdown_table",
    "plot_discriminators",
    "plot_precision_recall",
    "plot_quality",
    "plot_reliability",
    "plot_training",
    "read_results",
    "results_table",
    "summarize_results",
    "write_results",
]
