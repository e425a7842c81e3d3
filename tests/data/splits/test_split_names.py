"""Names of splits."""

import pytest

from labelgraph.data.splits.split_names import split_name


@pytest.mark.parametrize("name", ["validation", "Validation", " VAL\t", "val", "Valid", "dev", "DEVELOPMENT"])
def test_spellings_of_validation(name):
    assert split_name(name) == "validation"


def test_other_names_stay():
    assert [split_name(name) for name in ("Fold 1", "trian", "")] == ["Fold 1", "trian", ""]
