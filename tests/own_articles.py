"""Articles for tests of samples: sentences that share no run of words with those of another number."""

import random
from datetime import timedelta

from builders import MOMENT, cleaned

from ml.types import CleanDocument

STYLE = {"sentence_words": 22.0, "semicolon_rate": 6.0, "exclamation_rate": 0.0}


def sentences(seed: int, count: int) -> str:
    """Write sentences that share no run of words with those of another seed."""
    chance = random.Random(seed)
    stems = ["rope", "tide", "lock", "page", "queue", "lease", "index", "shard", "cache", "clock"]
    return " ".join(
        "The "
        + " ".join(f"{chance.choice(stems)}{chance.randrange(90)}" for _ in range(9))
        + "; nobody saw it, but we use it."
        for _ in range(count)
    )


def article(number: int) -> CleanDocument:
    """Make one article, younger than those of smaller numbers."""
    return cleaned(
        f"{sentences(number, 3)}\n\n## Why does number {number} matter?\n\n{sentences(number + 100, 5)}\n\n"
        f"```sql\nSELECT {number};\n```\n",
        url=f"https://x/{number}",
        title=f"Piece {number}",
        published_at=MOMENT + timedelta(days=number),
    )


def articles(count: int = 10) -> list[CleanDocument]:
    """Make some."""
    return [article(n) for n in range(count)]
