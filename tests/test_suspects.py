"""Suspects: whoever may be a copy is held, so that comparing only them finds what comparing all would."""

import random
from dataclasses import replace
from datetime import timedelta

from builders import MOMENT, cleaned

from ml.dedup import Limits, mark_duplicates
from ml.suspects import Suspects
from ml.types import CleanDocument

LIMITS = Limits(0.8, 0.55)


def suspects(documents: list[CleanDocument], together: int = 7) -> set[str]:
    found = Suspects()
    for start in range(0, len(documents), together):
        found.add(documents[start : start + together])
    return found.ids()


def words(seed: int, count: int = 400) -> str:
    """Write words that hardly ever stand beside each other twice."""
    chance = random.Random(seed)
    return " ".join(f"w{chance.randrange(20_000)}" for _ in range(count))


def planted() -> list[CleanDocument]:
    """Write strangers, and of some of them an exact copy, a near one, an excerpt, another look and a short twin."""
    texts = {f"https://e.org/{n}/": words(n) for n in range(40)}
    texts["https://e.org/exact/"] = texts["https://e.org/3/"].upper()
    texts["https://e.org/near/"] = texts["https://e.org/4/"] + " again"
    texts["https://e.org/excerpt/"] = texts["https://e.org/5/"][:1800]
    texts["http://www.e.org/6?again"] = words(6, 350) + " " + words(99, 80)
    texts["https://e.org/short/"] = texts["https://e.org/brief/"] = "Too short to be shingled."
    texts["https://e.org/none/"] = "Brief."
    return [
        replace(cleaned(text, url=url), published_at=MOMENT + timedelta(days=n))
        for n, (url, text) in enumerate(texts.items())
    ]


def test_comparing_the_suspects_finds_what_comparing_all_finds() -> None:
    documents = planted()
    everybody = {d.url: d.duplicate_of for d in mark_duplicates(documents, LIMITS)}

    held = suspects(documents)
    few = mark_duplicates([d for d in documents if d.id in held], LIMITS)

    assert {d.url: d.duplicate_of for d in few if d.duplicate_of} == {
        url: copied for url, copied in everybody.items() if copied
    }
    assert sum(map(bool, everybody.values())) == 5
    assert len(held) == 10


def test_neither_their_order_nor_how_many_come_together_matters() -> None:
    documents = planted()
    shuffled = random.Random(1).sample(documents, len(documents))

    assert suspects(documents) == suspects(shuffled, 1) == suspects(shuffled, 1_000)


def test_nobody_is_suspected_alone() -> None:
    assert suspects([]) == suspects(planted()[:1]) == set()
