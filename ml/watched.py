"""Which documents of the training part watch a training: what ends it early must not be what it is tested on.

Whole families are kept from the lesson, so that none of them is known by heart from its kin. They are a small
part, and where the few documents are all needed, none is spared.
"""

import random
from collections import defaultdict
from collections.abc import Sequence

from ml.memorisation import CANARY
from ml.splits import kin_of
from ml.types import Example

# Of the training samples this share watches, or so many where that is less; never twice as much.
SHARE, MOST = 0.1, 96
# What fewer samples say is chance.
FEWEST = 4


def choose_watched(examples: Sequence[Example], seed: int) -> frozenset[str]:
    """Choose documents of the training part that watch instead of being taught; none where too few can be spared.

    They follow from the samples and the seed alone, so that who goes on with a training watches the same. Canaries
    are there to be taught.
    """
    said: dict[str, list[str]] = defaultdict(list)
    for example in examples:
        if example.split == "train" and example.task != CANARY:
            said[example.span.document_id].append(example.messages[-1].content)
    wanted = min(SHARE * sum(map(len, said.values())), MOST)
    chosen, held = list[str](), 0
    for family in _shuffled_families(said, seed):
        size = sum(len(said[i]) for i in family)
        if held < max(wanted, FEWEST) and held + size <= 2 * wanted:
            chosen, held = [*chosen, *family], held + size
    return frozenset(chosen) if held >= FEWEST else frozenset()


def _shuffled_families(said: dict[str, list[str]], seed: int) -> list[list[str]]:
    families: dict[str, list[str]] = defaultdict(list)
    for document, family in kin_of({i: "\n".join(s) for i, s in said.items()}).items():
        families[family].append(document)
    names = sorted(families)
    random.Random(seed).shuffle(names)
    return [families[name] for name in names]
