"""Titles, words and labels of the bundled set."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, CountVectorizer

from labelgraph.encoders import words_of

DUBLIN_CORE = "{http://purl.org/dc/elements/1.1/}"
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
WORK = "{http://web.resource.org/cc/}Work"
PUBLIC_DOMAIN = {
    "http://creativecommons.org/licenses/publicdomain/",
    "http://web.resource.org/cc/PublicDomain",
    "Public Domain",
}
# Because of an error, the upload script wrote addresses of Perl hashes in place of their contents.
PERL_HASH = re.compile(r"hash\(0x[0-9a-f]+\)", re.IGNORECASE)


@dataclass(frozen=True)
class Record:
    """The metadata of one picture; the id is its path below svg/ or png/, without the extension."""

    id: str
    title: str
    description: str
    keywords: tuple[str, ...]
    creators: tuple[str, ...]
    public_domain: bool

    @property
    def stem(self) -> str:
        """The file name without folders."""
        return self.id.rsplit("/", 1)[-1]


def clean(text: str | None) -> str:
    """Remove the hash addresses of the upload script, and collapse whitespace."""
    return " ".join(PERL_HASH.sub(" ", text or "").split())


def first_text(works: list[ElementTree.Element], tag: str) -> str:
    """Return the first text of a field that is not empty; a few pictures have a field twice."""
    texts = (clean(element.text) for work in works for element in work.findall(DUBLIN_CORE + tag))
    return next(filter(None, texts), "")


def agents(works: list[ElementTree.Element]) -> Iterator[str]:
    """Yield the names under creator, publisher and rights."""
    for work in works:
        for tag in ("creator", "publisher", "rights"):
            for element in work.iter(DUBLIN_CORE + tag):
                yield clean(" ".join(element.itertext()))


def states_public_domain(root: ElementTree.Element) -> bool:
    """Return whether a license element of the file names the public domain."""
    licenses = [element for element in root.iter() if str(element.tag).endswith("}license")]
    stated = {value for element in licenses for value in (*element.attrib.values(), element.text or "")}
    return not {value.strip() for value in stated}.isdisjoint(PUBLIC_DOMAIN)


def read_record(path: Path, folder: Path) -> Record:
    """Parse one SVG file below ``folder``."""
    root = ElementTree.parse(path).getroot()
    works = list(root.iter(WORK))
    keywords = {clean(element.text).lower() for element in root.iter(f"{RDF}li")}
    return Record(
        id=path.relative_to(folder).with_suffix("").as_posix(),
        title=first_text(works, "title"),
        description=first_text(works, "description"),
        keywords=tuple(sorted(keywords - {""})),
        creators=tuple(sorted(set(agents(works)) - {""})),
        public_domain=states_public_domain(root),
    )


def read_records(folder: Path) -> list[Record]:
    """Read all records below a folder of SVG files, ordered by id."""
    return sorted((read_record(path, folder) for path in folder.rglob("*.svg")), key=lambda record: record.id)


MIN_WORD_COUNT = 3
MARKUP = re.compile(r"<[^>]*>|&#?\w+;|(?:https?://|www\.)\S+|\S+@\S+")
CAPITAL_AFTER_SMALL = re.compile(r"(?<=[a-z])(?=[A-Z])")
# Publishers that are no people: their words (open, art, library) are not names of authors.
PUBLISHERS = re.compile(r"open clip ?art (library|project)|(www\.)?openclipart\.org", re.IGNORECASE)
# Months and days come from upload dates; the other words are of files, tools and addresses.
NOISE = {
    *("aug", "wed", "http", "www", "com", "org", "svg", "png", "eps", "hash", "converted", "untitled"),
    *("clipart", "cliparts", "openclipart", "inkscape", "sodipodi"),
}
# Keywords that do not describe the picture; some repeat the folder, some were added by a script.
FILING = {
    *("appicon", "geometry", "icon", "icons", "lemon_theme_icon", "magick", "miscellany", "recreation"),
    *("shapes", "simple", "special", "theme", "unsorted"),
}
SIGNATURES = {
    "bwh",
    "fitzsimons",
    "ganson",
}  # Names of authors that the creator field does not spell out.
STOP_WORDS = ENGLISH_STOP_WORDS | NOISE | SIGNATURES


def author_words(record: Record) -> set[str]:
    """Collect the words of the names under creator, publisher and rights."""
    return {word for name in record.creators for word in words_of(PUBLISHERS.sub(" ", name))}


def file_words(record: Record) -> set[str]:
    """Collect the words of the file name; some are written LikeThis."""
    return set(words_of(CAPITAL_AFTER_SMALL.sub(" ", record.stem)))


def described_words(record: Record, merged: Collection[str]) -> set[str]:
    """Collect the words of title, description and the keywords that are in no label."""
    keywords = [keyword for keyword in record.keywords if keyword not in merged and keyword not in FILING]
    return set(words_of(MARKUP.sub(" ", " ".join([record.title, record.description, *keywords]))))


def names_in(record: Record, merged: Collection[str]) -> set[str]:
    """Return the words of a picture that are part of its author's name."""
    authors = author_words(record)
    # File names end in the author's name, possibly truncated; in a file name, the start of a name is also a name.
    cut = {word for word in file_words(record) if any(name.startswith(word) for name in authors)}
    return cut | (authors & described_words(record, merged))


def bags(records: Sequence[Record], merged: Collection[str]) -> list[set[str]]:
    """Collect the words of each picture, without stop words and authors' names."""
    said = [described_words(record, merged) | file_words(record) for record in records]
    names = [names_in(record, merged) for record in records]
    # If most pictures with a word are by the author of this name, the word is a name in all pictures.
    carried = Counter(word for bag in said for word in bag)
    borne = Counter(word for bag in names for word in bag)
    everywhere = {word for word, count in borne.items() if 2 * count > carried[word]}
    return [bag - name - everywhere - STOP_WORDS for bag, name in zip(said, names, strict=True)]


def word_matrix(
    records: Sequence[Record], merged: Collection[str], minimum: int = MIN_WORD_COUNT
) -> tuple[csr_array, list[str]]:
    """Return bags of words, (N, V) sparse uint8, over the words in ``minimum`` or more pictures; and these words."""
    counter = CountVectorizer(analyzer=sorted, binary=True, min_df=minimum, dtype=np.uint8)
    matrix = csr_array(counter.fit_transform(bags(records, merged)))
    matrix.sort_indices()
    return matrix, counter.get_feature_names_out().tolist()


MIN_LABEL_COUNT = 25
TABLE = Path(__file__).with_name("labels.yaml")

Table = Mapping[str, Sequence[str]]


def read_table(path: Path = TABLE) -> dict[str, list[str]]:
    """Read the merge table, label name -> keywords."""
    table: dict[str, list[str]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    for name, keywords in table.items():
        # YAML reads `no` and `2600` without quotes as a boolean and a number.
        if not all(isinstance(keyword, str) for keyword in keywords):
            raise ValueError(f"{path}: quote the keywords of {name!r} that YAML does not read as text")
        if len(set(keywords)) != len(keywords):
            raise ValueError(f"{path}: {name!r} lists a keyword twice")
    return table


def label_matrix(records: Sequence[Record], table: Table) -> np.ndarray:
    """Return multi-hot labels, (N, C) uint8: a picture has a label if it has a keyword of the label."""
    columns: dict[str, list[int]] = {}
    for column, keywords in enumerate(table.values()):
        for keyword in keywords:
            columns.setdefault(keyword, []).append(column)
    labels = np.zeros((len(records), len(table)), dtype=np.uint8)
    for row, record in enumerate(records):
        labels[row, [column for keyword in record.keywords for column in columns.get(keyword, [])]] = 1
    return labels


def without_rare(records: Sequence[Record], table: Table, minimum: int = MIN_LABEL_COUNT) -> dict[str, Sequence[str]]:
    """Return the entries of the table whose labels at least ``minimum`` of the pictures have."""
    positives = label_matrix(records, table).sum(axis=0, dtype=np.int64)
    return {name: table[name] for name, count in zip(table, positives, strict=True) if count >= minimum}
