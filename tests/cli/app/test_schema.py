"""The documentation of the endpoints lists the fields of the schema, and its answer follows it."""

import json
import re
from pathlib import Path

import pytest

from labelgraph.cli.app.schema import MAX_RESULTS, MAX_TEXT, SearchRequest, SearchResponse, SearchResult

PAGE = (Path(__file__).parents[3] / "docs" / "app.md").read_text("utf-8")


def table(sentence):
    """First cells of the table after a sentence."""
    return re.findall(r"^\| `([\w.]+)` \|", PAGE.partition(sentence)[2].partition("\n\n")[2].partition("\n\n")[0], re.M)


def test_the_tables_list_the_fields():
    assert table("The fields of a search") == list(SearchRequest.model_fields)
    answer = table("The fields of an answer")
    assert [name for name in answer if "." not in name] == list(SearchResponse.model_fields)
    assert all(f"`{name}`" in PAGE for name in SearchResult.model_fields)


def test_the_printed_search_and_answer_are_valid():
    asked = SearchRequest.model_validate_json(re.search(r"-d '(.*?)'$", PAGE, re.M)[1])
    answer = SearchResponse.model_validate(json.loads(re.search(r"```json\n(.*?)```", PAGE, re.S)[1]))
    assert answer.query == repr(asked.text) and len(answer.results) == asked.k
    assert set(asked.labels) <= set(answer.results[0].labels)


@pytest.mark.parametrize("limit", [f"{MAX_TEXT:,} characters", f"1 to {MAX_RESULTS}"])
def test_the_page_has_the_limits(limit):
    assert limit in PAGE
