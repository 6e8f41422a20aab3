"""Count how many attacks get through, on a path that trusts what it reads and on the platform's own.

    make bench-injection

The attacks are in tests/injections.py, what counts as success in tests/under_attack.py.
"""

import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from injections import attacks
from under_attack import by_family, guarded, trusting


def main() -> None:
    """Print the table."""
    tried = attacks()
    before, after = by_family(tried, trusting), by_family(tried, guarded)
    table = Table("family", "attacks", "get through a trusting path", "get through this one")
    for family, (count, won) in before.items():
        table.add_row(family, str(count), str(won), str(after[family][1]))
    won, left = (sum(n for _, n in counted.values()) for counted in (before, after))
    shares = f"{won} ({won / len(tried):.0%})", f"{left} ({left / len(tried):.1%})"
    table.add_row("all", str(len(tried)), *shares)
    Console().print(table)


if __name__ == "__main__":
    main()
