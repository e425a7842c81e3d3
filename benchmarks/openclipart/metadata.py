"""What a picture's SVG file says of it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DUBLIN_CORE = "{http://purl.org/dc/elements/1.1/}"
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
WORK = "{http://web.resource.org/cc/}Work"
PUBLIC_DOMAIN = {
    "http://creativecommons.org/licenses/publicdomain/",
    "http://web.resource.org/cc/PublicDomain",
    "Public Domain",
}
# The upload script of the time wrote the addresses of Perl hashes where it meant their contents.
PERL_HASH = re.compile(r"hash\(0x[0-9a-f]+\)", re.IGNORECASE)


@dataclass(frozen=True)
class Record:
    """One picture's metadata; the id is its path below svg/ or png/, without the extension."""

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
    """Take out the upload script's hash addresses and collapse the whitespace."""
    return " ".join(PERL_HASH.sub(" ", text or "").split())


def first_text(works: list[ElementTree.Element], tag: str) -> str:
    """Find the first text of a field that is not empty; a few pictures describe themselves twice."""
    texts = (clean(element.text) for work in works for element in work.findall(DUBLIN_CORE + tag))
    return next(filter(None, texts), "")


def agents(works: list[ElementTree.Element]) -> Iterator[str]:
    """Yield the names under creator, publisher and rights."""
    for work in works:
        for tag in ("creator", "publisher", "rights"):
            for element in work.iter(DUBLIN_CORE + tag):
                yield clean(" ".join(element.itertext()))


def states_public_domain(root: ElementTree.Element) -> bool:
    """Tell whether some license element of the file names the public domain."""
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
