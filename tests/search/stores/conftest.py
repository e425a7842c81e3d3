"""The stores under test: in memory, LanceDB, and Milvus Lite."""

import importlib.util

import pytest

NEEDED = {"memory": (), "lance": ("lancedb",), "milvus": ("pymilvus", "milvus_lite")}


MILVUS = pytest.param("milvus", marks=pytest.mark.slow)


@pytest.fixture(params=["memory", "lance", MILVUS])
def store(request, tmp_path):
    """Address of a store that does not exist yet; None in memory."""
    for package in NEEDED[request.param]:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} IS NOT INSTALLED: THE STORE {request.param.upper()} IS NOT TESTED")
    return {"memory": None, "lance": f"lance:{tmp_path / 'items'}", "milvus": f"milvus:{tmp_path / 'items.db'}"}[
        request.param
    ]


@pytest.fixture(params=["lance", MILVUS])
def database(request, tmp_path):
    """Address of a store in a database that does not exist yet."""
    for package in NEEDED[request.param]:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} IS NOT INSTALLED: THE STORE {request.param.upper()} IS NOT TESTED")
    return f"lance:{tmp_path / 'items'}" if request.param == "lance" else f"milvus:{tmp_path / 'items.db'}"
