import pytest

from benchmarks.openclipart.metadata import read_record, read_records

SVG = """<?xml version="1.0"?>
<svg xmlns="http://www.w3.org/2000/svg"><title>not this one</title><metadata>
<rdf:RDF xmlns:cc="http://web.resource.org/cc/" xmlns:dc="http://purl.org/dc/elements/1.1/"
         xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<cc:Work rdf:about=""><dc:title>  A
   Ladybug </dc:title><dc:description>HASH(0x856da84)</dc:description>
<dc:subject><rdf:Bag><rdf:li>Insect</rdf:li><rdf:li>hash(0x1f)</rdf:li><rdf:li/><rdf:li>animal</rdf:li></rdf:Bag>
</dc:subject>
<dc:publisher><cc:Agent><dc:title>Open Clip Art Library</dc:title></cc:Agent>
</dc:publisher><dc:creator><cc:Agent><dc:title>Jane Doe</dc:title></cc:Agent></dc:creator>
<cc:license rdf:resource="{license}">{text}</cc:license></cc:Work></rdf:RDF></metadata></svg>"""
PUBLIC = "http://web.resource.org/cc/PublicDomain"


def write(folder, name, license=PUBLIC, text=""):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(SVG.format(license=license, text=text), encoding="utf-8")
    return path


def test_fields_of_a_record(tmp_path):
    record = read_record(write(tmp_path, "animals/bugs/ladybug_jane.v1.svg"), tmp_path)
    assert record.id == "animals/bugs/ladybug_jane.v1"
    assert record.stem == "ladybug_jane.v1"
    assert record.title == "A Ladybug"
    assert record.description == ""
    assert record.keywords == ("animal", "insect")
    assert record.creators == ("Jane Doe", "Open Clip Art Library")


@pytest.mark.parametrize(
    ("license", "text", "expected"),
    [
        (PUBLIC, "", True),
        ("http://creativecommons.org/licenses/publicdomain/", "", True),
        ("", "Public Domain", True),
        ("", "", False),
        ("http://creativecommons.org/licenses/GPL/2.0/", "", False),
    ],
)
def test_public_domain_must_be_stated(tmp_path, license, text, expected):
    assert read_record(write(tmp_path, "a.svg", license, text), tmp_path).public_domain is expected


def test_records_are_ordered_by_id(tmp_path):
    for name in ("b/a.svg", "a.svg", "b.svg"):
        write(tmp_path, name)
    assert [record.id for record in read_records(tmp_path)] == ["a", "b", "b/a"]
