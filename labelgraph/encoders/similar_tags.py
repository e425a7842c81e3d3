"""Tags that mean the same: other capitals, singular and plural, typing errors."""

from __future__ import annotations

import warnings
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence

from labelgraph.encoders.near_words import is_typing_error, singular

SHOWN = 3
MOST_ERRORS = 20  # Typing errors are for the user to correct, one by one.
RARER = 3  # A typing error is at least this many times rarer than the tag that was meant.


def merge_tags(tags: Sequence[Collection[str]]) -> tuple[list[list[str]], dict[str, str]]:
    """Merge tags that differ only in capitals, spaces, or as singular and plural; the most frequent spelling is kept.

    A plural is merged only if its singular is also a tag.

    Args:
        tags: Tags of each item.

    Returns:
        The sorted, distinct tags of each item, and the tag that each replaced tag became.

    Example:
        >>> from labelgraph.encoders.similar_tags import merge_tags
        >>> merge_tags([["cat", "red"], ["Cat"], ["cats", "cat"], ["glass"]])
        ([['cat', 'red'], ['cat'], ['cat'], ['glass']], {'Cat': 'cat', 'cats': 'cat'})
    """
    counts = Counter(tag for each in tags for tag in set(each))
    plain = {tag: " ".join(tag.casefold().split()) for tag in counts}
    forms = set(plain.values())
    groups: dict[str, list[str]] = defaultdict(list)
    for tag, form in plain.items():
        groups[next((each for each in singular(form) if each in forms), form)].append(tag)
    kept = {
        tag: min(group, key=lambda each: (-counts[each], not each.islower(), each))
        for group in groups.values()
        for tag in group
    }
    merged = [sorted({kept[tag] for tag in each}) for each in tags]
    return merged, {tag: other for tag, other in sorted(kept.items()) if tag != other}


def warn_of_merged(where: str, merged: Mapping[str, str]) -> None:
    """Warn of the tags that `merge_tags` replaced."""
    if merged:
        _warn(f"{where}: {len(merged)} tag{'s' * (len(merged) > 1)} merged with the same tag in other capitals or as "
              "singular: ", merged, "as", " ('merge_tags')")  # fmt: skip


def warn_of_typing_errors(where: str, tags: Sequence[Collection[str]]) -> None:
    """Warn of rare tags that differ by one typing error from a tag that is much more frequent."""
    counts = Counter(tag for each in tags for tag in set(each))
    frequent = [tag for tag, count in counts.most_common(1000) if count >= RARER]
    meant = {
        tag: other
        for tag, count in sorted(counts.items())
        for other in frequent
        if counts[other] >= RARER * count and is_typing_error(tag.casefold(), other.casefold())
    }
    if meant:
        one = len(meant) == 1
        _warn(f"{where}: {len(meant)} tag{'' if one else 's'} may be typing errors, which the table can correct: ",
              meant, "for", most=MOST_ERRORS)  # fmt: skip


def _warn(start: str, pairs: Mapping[str, str], word: str, end: str = "", most: int = SHOWN) -> None:
    shown = ", ".join(f"{tag!r} {word} {other!r}" for tag, other in list(pairs.items())[:most])
    more = ", ..." if len(pairs) > most else ""
    warnings.warn(f"{start}{shown}{more}{end}", stacklevel=4)
