"""Descriptions of the published sets to imitate: their sizes, and the frequency of each label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BLOCK = 4096  # Number of items in memory while a set is written.


@dataclass(frozen=True)
class SyntheticSet:
    """The statistics of a set that are imitated.

    Args:
        items: Number of items.
        text_channels: Number of words in the vocabulary.
        labels: Share of the items that have each label, by name.
        topics: Groups of labels, by number, that tend to occur together.
        words: Mean number of words per item.
        stated: Sentence on which of these numbers are published, and which are assumed.
        image_channels: Number of image features, by default as in the second last layer of a VGG network.
    """

    items: int
    text_channels: int
    labels: dict[str, float]
    topics: tuple[tuple[int, ...], ...]
    words: float
    stated: str
    image_channels: int = 4096


def _shares(counts: str, total: int) -> dict[str, float]:
    """Convert a list of counts such as ``sky 10, sea 5`` to shares of the total."""
    pairs = (entry.strip().rpartition(" ") for entry in counts.replace("\n", " ").split(","))
    return {name: int(count) / total for name, _, count in pairs}


def _groups(labels: dict[str, float], *groups: str) -> tuple[tuple[int, ...], ...]:
    """Return the numbers of the labels of each group; ``first..last`` is a range of labels."""
    names = list(labels)
    numbers = []
    for group in groups:
        members: list[int] = []
        for part in group.split(", "):
            first, _, last = part.partition("..")
            members += range(names.index(first), names.index(last or first) + 1)
        numbers.append(tuple(members))
    return tuple(numbers)


# Counts of the 20,015 pairs of the usual hashing files.
MIRFLICKR = _shares(
    """animals 2647, baby 179, bird 644, car 986, clouds 3230, dog 581, female 4614, flower 1554, food 813, indoor 6320,
    lake 704, male 4743, night 2243, people 7848, plant_life 7413, portrait 2740, river 811, sea 1133, sky 6818,
    structures 8463, sunset 1840, transport 2450, tree 3981, water 2885""",
    20_015,
)

# Number of images of each category in train2017 of MS-COCO; 117,266 images have a category.
COCO = _shares(
    """person 64115, bicycle 3252, car 12251, motorcycle 3502, airplane 2986, bus 3952, train 3588, truck 6127,
    boat 3025, traffic light 4139, fire hydrant 1711, stop sign 1734, parking meter 705, bench 5570, bird 3237,
    cat 4114, dog 4385, horse 2941, sheep 1529, cow 1968, elephant 2143, bear 960, zebra 1916, giraffe 2546,
    backpack 5528, umbrella 3968, handbag 6841, tie 3810, suitcase 2402, frisbee 2184, skis 3082, snowboard 1654,
    sports ball 4262, kite 2261, baseball bat 2506, baseball glove 2629, skateboard 3476, surfboard 3486,
    tennis racket 3394, bottle 8501,
    wine glass 2533, cup 9189, fork 3555, knife 4326, spoon 3529, bowl 7111, banana 2243, apple 1586, sandwich 2365,
    orange 1699, broccoli 1939, carrot 1683, hot dog 1222, pizza 3166, donut 1523, cake 2925, chair 12774, couch 4423,
    potted plant 4452, bed 3682, dining table 11837, toilet 3353, tv 4561, laptop 3524, mouse 1876, remote 3076,
    keyboard 2115, cell phone 4803, microwave 1547, oven 2877, toaster 217, sink 4678, refrigerator 2360, book 5332,
    clock 4659, vase 3593, scissors 947, teddy bear 2140, hair drier 189, toothbrush 1007""",
    117_266,
)

# Published: the rarest of the 21 concepts has at least 5,000 images. The geometric fall in between is assumed.
NUS_WIDE = {f"concept {i + 1}": share for i, share in enumerate(np.geomspace(0.38, 5_500 / 195_834, 21).tolist())}

SETS = {
    "mirflickr": SyntheticSet(
        items=20_015,
        text_channels=1386,
        labels=MIRFLICKR,
        topics=_groups(
            MIRFLICKR,
            "baby, female, male, people, portrait, indoor",
            "lake, river, sea, water",
            "clouds, night, sky, sunset",
            "animals, bird, dog, flower, plant_life, tree",
            "car, structures, transport",
            "food, indoor",
        ),
        words=4.64,
        stated="Published: sizes, share of each label, mean number of words, labels of the 20,015 pairs without any "
        "unlabelled. Assumed: which labels occur together (six groups after their names), and all features.",
    ),
    "nus-wide-tc21": SyntheticSet(
        items=195_834,
        text_channels=1000,
        labels=NUS_WIDE,
        topics=tuple(tuple(range(start, 21, 6)) for start in range(6)),
        words=6.0,
        stated="Published: sizes, the lowest share of a label (at least 5,000 images). Assumed: the other "
        "shares, a geometric fall from 0.38; which labels occur together; the number of words; all features.",
    ),
    "ms-coco": SyntheticSet(
        items=122_218,
        text_channels=2026,
        labels=COCO,
        topics=_groups(
            COCO,
            "bicycle..boat",
            "traffic light..bench, car, bus, truck",
            "bird..giraffe",
            "backpack..suitcase, person",
            "frisbee..tennis racket, person",
            "bottle..bowl, dining table",
            "banana..cake, dining table",
            "chair..toilet",
            "tv..cell phone",
            "microwave..refrigerator",
            "book..toothbrush",
        ),
        words=14.0,
        stated="Published: sizes, share of each label in train2017, groups after the super-categories. Assumed: how "
        "strongly a group occurs together, the number of words, all features.",
    ),
}
