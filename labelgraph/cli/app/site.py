"""What the page searches: a searcher, its items, their pictures and the label graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from labelgraph._core.names import check_name
from labelgraph.cli.app.item_pictures import ItemPictures
from labelgraph.cli.app.schema import Collection, LabelNeighbour, LabelNeighbours
from labelgraph.cli.graph_command import Source, browser_page, counted_rows
from labelgraph.cli.queries import query_encoder
from labelgraph.graph import cooccurrence_graph
from labelgraph.report.page_content import Pairs, label_pairs
from labelgraph.search import Searcher
from labelgraph.search.gallery import GalleryItem, gallery_items

if TYPE_CHECKING:
    from torch_geometric.data import Data

    from labelgraph.data import CrossModalData

MOST_NEIGHBOURS = 12


@dataclass
class Site:
    """A searcher with what a page shows of its items; several threads may use it, and nothing changes it.

    Args:
        searcher: The searcher.
        name: Name of the page.
        pictures: Pictures of the items.
        data: Data of the items, if any; the label graph is then that of the training items.
        source: Name or path of the data.
        folder: Folder of the picture files.
        items: The items, in the order of their rows.
    """

    searcher: Searcher
    name: str
    pictures: ItemPictures
    data: CrossModalData | None = None
    source: str | None = None
    folder: Path | None = None
    items: Sequence[GalleryItem] = field(default_factory=list)

    @classmethod
    def of(
        cls, searcher: Searcher, name: str, data: CrossModalData | None, source: str | None, folder: Path | None
    ) -> Site:
        """Collect the items and find their pictures; errors are those of `ItemPictures`."""
        items = gallery_items(searcher)
        pictures = ItemPictures([each.id for each in items], data, source, folder)
        return cls(searcher, name, pictures, data, source, folder, items)

    def __post_init__(self) -> None:
        self.row_of = {each.id: row for row, each in enumerate(self.items)}
        self._encoding, self._drawing = Lock(), Lock()

    @cached_property
    def collection(self) -> Collection:
        """What can be searched, and how."""
        method = self.searcher.method
        counts = Counter(label for each in self.items for label in each.labels)
        return Collection(
            name=self.name,
            items=len(self.items),
            pictures=sum("image" in each.sides for each in self.items),
            texts=sum("text" in each.sides for each in self.items),
            by_text="text" in method.encoders,
            by_picture="image" in method.encoders,
            by_labels=method.ranks_by_labels,
            graph=self.graph is not None,
            labels={name: counts[name] for name in self.searcher.label_names},
        )

    @cached_property
    def graph(self) -> Data | None:
        """The label graph of the data, or else that of the model; None if there is neither."""
        if self.data is not None:
            rows = counted_rows(self.data, None)
            return cooccurrence_graph(self.data.label_rows(rows, dense=False), self.data.label_names)
        held: Any = self.searcher.method._graph
        graph: Data | None = held.to_data() if hasattr(held, "to_data") else held
        usable = graph is not None and all(key in graph for key in ("count", "num_samples", "label_names"))
        return graph if usable else None

    @cached_property
    def _pairs(self) -> Pairs:
        assert self.graph is not None
        return label_pairs(self.graph)

    def neighbours(self, label: str) -> LabelNeighbours:
        """Return the nearest labels in the label graph.

        Raises:
            ValueError: If there is no label graph, or the label is not in it.
        """
        if self.graph is None:
            raise ValueError("there is no label graph; start the app with --data, which has the labels")
        names = list(self.graph.label_names)
        check_name("label", label, names)
        pairs, number = self._pairs, names.index(label)
        places = np.flatnonzero((pairs.a == number) | (pairs.b == number))
        best = places[np.argsort(-pairs.affinity[places], kind="stable")[:MOST_NEIGHBOURS]]
        found = []
        for place in best.tolist():
            first = pairs.a[place] == number
            other = int(pairs.b[place] if first else pairs.a[place])
            there, back = (float(each[place]) for each in (pairs.ab, pairs.ba))
            forward, backward = (there, back) if first else (back, there)
            found.append(LabelNeighbour(name=names[other], forward=forward, backward=backward))
        return LabelNeighbours(label=label, neighbours=found)

    @cached_property
    def _graph_page(self) -> bytes | None:
        if self.graph is None:
            return None
        if self.data is None:
            return browser_page(self.graph, Source(self.graph, self.name))
        rows = counted_rows(self.data, None)
        return browser_page(self.graph, Source(self.graph, self.source or "", self.data, rows, self.folder))

    def graph_page(self) -> bytes | None:
        """Return the page of the label graph, which is made when it is first asked for; None without a graph."""
        with self._drawing:
            return self._graph_page

    @cached_property
    def _encoder(self) -> Any:
        return query_encoder(self.searcher.method, "image")

    def features(self, path: Path) -> Any:
        """Return the features of a picture file, one row; one picture at a time, because the encoder is large."""
        with self._encoding:
            return self._encoder.encode([path])
