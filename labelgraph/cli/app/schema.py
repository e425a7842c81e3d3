"""What the endpoints take and return; the descriptions are those of the OpenAPI schema."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

MAX_TEXT, MAX_RESULTS, MAX_LABELS = 10_000, 100, 100
MAX_PICTURE = 20_000_000  # Bytes of a picture file.
MAX_BODY = MAX_PICTURE * 4 // 3 + 200_000  # Bytes of a request, whose picture is base64.


class SearchRequest(BaseModel):
    """A search: by `text`, `picture` or `like`; or by `labels` alone, which finds items that probably have them all."""

    model_config = ConfigDict(extra="forbid")

    text: str | None = Field(None, max_length=MAX_TEXT, description="Words to search for.")
    picture: str | None = Field(
        None,
        description=f"A picture file to search by, in base64; at most {MAX_PICTURE // 10**6} MB.",
        json_schema_extra={"contentEncoding": "base64"},
    )
    like: str | None = Field(None, max_length=MAX_TEXT, description="Id of an item; finds items like it.")
    labels: list[str] = Field([], max_length=MAX_LABELS, description="Only items with at least one of these labels.")
    within: Literal["pictures", "texts", "both"] = Field(
        "pictures", description="What to search; with 'both', an item matches by its picture or its text."
    )
    k: int = Field(24, ge=1, le=MAX_RESULTS, description="Maximum number of results.")


class SharedLabelReason(BaseModel):
    """A label that the query and the result probably share."""

    name: str = Field(description="Name of the label.")
    query: float = Field(description="Probability of the label for the query.")
    item: float = Field(description="Probability of the label for the result.")


class Reason(BaseModel):
    """Why an item is a result."""

    labels: list[SharedLabelReason] = Field(description="Labels that both probably have, the most probable first.")
    words: list[str] = Field(description="Words that the query and the caption have in common.")


class SearchResult(BaseModel):
    """A result, with what it needs to be shown."""

    rank: int = Field(description="Place among the results, from 1.")
    id: str = Field(description="Id of the item.")
    title: str = Field(description="Caption of the item; its id if it has none.")
    score: float = Field(description="Score of the item; its name is `score` of the response.")
    picture: str | None = Field(description="Address of a small picture on this server; null if there is none.")
    labels: list[str] = Field(description="Labels of the item in the data.")
    why: Reason


class SearchResponse(BaseModel):
    """The results of a search."""

    query: str = Field(description="What was searched for, in words.")
    score: str = Field(description="Name of the scores, such as 'expected Jaccard'; empty without results.")
    descending: bool = Field(description="Whether higher scores are better; Hamming distances are better if lower.")
    notes: list[str] = Field(description="Words that were ignored or read as others, or why nothing was found.")
    results: list[SearchResult] = Field(description="The results, the best first.")


class Collection(BaseModel):
    """What can be searched, and how."""

    name: str = Field(description="Name of the model or index.")
    items: int = Field(description="Number of items.")
    pictures: int = Field(description="Number of items whose picture can be found.")
    texts: int = Field(description="Number of items whose text can be found.")
    by_text: bool = Field(description="Whether `text` can be searched for.")
    by_picture: bool = Field(description="Whether `picture` can be searched for.")
    by_labels: bool = Field(description="Whether `labels` alone can be searched for.")
    graph: bool = Field(description="Whether there is a label graph, at /graph.")
    labels: dict[str, int] = Field(description="Number of items of each label.")


class LabelNeighbour(BaseModel):
    """A label that occurs together with another label."""

    name: str = Field(description="Name of the neighbour.")
    forward: float = Field(description="Share of the items with the label that have the neighbour, too.")
    backward: float = Field(description="Share of the items with the neighbour that have the label, too.")


class LabelNeighbours(BaseModel):
    """The nearest labels of a label in the label graph."""

    label: str = Field(description="Name of the label.")
    neighbours: list[LabelNeighbour] = Field(description="At most twelve labels, the nearest first.")


class Problem(BaseModel):
    """Why a request has no answer."""

    error: str = Field(description="One line for a reader.")
