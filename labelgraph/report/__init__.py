"""Results as JSON and tables, curves, drawings and pages of label graphs, pages of reports, contact sheets."""

from typing import TYPE_CHECKING

from labelgraph._core.lazy import lazy_exports

if TYPE_CHECKING:
    from labelgraph.report.contact_sheets import contact_sheet
    from labelgraph.report.curves import (
        plot_discriminators,
        plot_precision_recall,
        plot_quality,
        plot_reliability,
        plot_training,
    )
    from labelgraph.report.drawing import draw_graph, draw_heat_map, grouped_order
    from labelgraph.report.graph_page import graph_to_html
    from labelgraph.report.report_page import report_to_html
    from labelgraph.report.results import Result, read_results, summarize_results, write_results
    from labelgraph.report.tables import markdown_table, results_table

__all__ = [
    "Result",
    "contact_sheet",
    "draw_graph",
    "draw_heat_map",
    "graph_to_html",
    "grouped_order",
    "markdown_table",
    "plot_discriminators",
    "plot_precision_recall",
    "plot_quality",
    "plot_reliability",
    "plot_training",
    "read_results",
    "report_to_html",
    "results_table",
    "summarize_results",
    "write_results",
]

__getattr__, __dir__ = lazy_exports(__name__)
