"""Compare what Feast keeps with what was measured last, by digest; and take out what is wrong.

What was measured is known of every document (`MeasuredState`); what an author's rows have to be follows
from the documents' history. The history and the online store are both looked at, some hundred rows at a
time. The earlier measurements of a document cannot be compared: only its last one is known by its digest.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from include.feature_online import online_form
from include.feature_store import KEYS
from include.feature_tables import differing, keys_of, latest, row_digest, rows_of
from include.features import Features
from include.records import MeasuredState


@dataclass(slots=True)
class Faults:
    """What was found of one view, by key: rows that are missing, that are not as measured, and nobody's."""

    missing: set[str] = field(default_factory=set)
    altered: set[str] = field(default_factory=set)
    orphans: set[str] = field(default_factory=set)

    def all(self) -> set[str]:
        """Name every key with a fault."""
        return self.missing | self.altered | self.orphans


def find_faults(
    features: Features, states: Mapping[str, MeasuredState], sources: Mapping[str, str]
) -> dict[str, Faults]:
    """Find what is wrong, by view; `sources` are hashes of the documents as they are now.

    One that was measured in another state is altered; one that waits to be measured keeps what it has.
    """
    documents, authors = KEYS
    found = _compare(features, documents, {i: s.row for i, s in states.items() if s.row})
    found.altered |= {i for i, s in states.items() if sources.get(i, s.source) != s.source}
    found.orphans -= sources.keys() - states.keys()
    means, kept = features.means(), features.history(authors)
    newest = (row for part in rows_of(latest(means, KEYS[authors])) for row in part)
    wrong = _compare(features, authors, {r[KEYS[authors]]: row_digest(r) for r in newest})
    wrong.altered |= differing(means, kept, KEYS[authors]) - wrong.all()
    return {documents: found, authors: wrong}


def take_out(
    features: Features, faults: Mapping[str, Faults], states: Mapping[str, MeasuredState]
) -> None:
    """Take out what is nobody's, or later than what was measured, and everything wrong that is online.

    The documents have to be measured again; the authors' rows are put right here but for what is online.
    """
    documents, authors = (faults[view] for view in KEYS)
    cut = {i: states[i].at for i in documents.missing | documents.altered}
    features.store_rows([], documents.orphans, cut)
    features.erase_online("author_style", authors.all())


def _compare(features: Features, view: str, expected: Mapping[str, str]) -> Faults:
    """Compare the last row of each key, and what is online of it, with the digests of what has to be there."""
    key, table = KEYS[view], latest(features.history(view), KEYS[view])
    there = keys_of(table, key)
    found = Faults(missing=set(expected.keys() - there))
    found.orphans = (there | features.online_keys(view)) - expected.keys()
    for part in rows_of(table):
        online = features.online(view, [row[key] for row in part])
        for row in (r for r in part if r[key] in expected):
            if row_digest(row) != expected[row[key]]:
                found.altered.add(row[key])
            elif row[key] not in online:
                found.missing.add(row[key])
            elif online[row[key]] != online_form(row, key):
                found.altered.add(row[key])
    return found
