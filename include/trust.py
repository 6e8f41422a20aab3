"""Which documents others may have written on: those of the sources that are `shared` in the sources file.

Looked up where it is needed and kept nowhere else, so that the file holds for what was crawled before, too.
"""

import logging
from collections.abc import Collection

from include.documents import Documents, open_documents
from include.settings import Settings
from include.sources import load_sources

log = logging.getLogger(__name__)


def shared_documents(settings: Settings, documents: Documents) -> frozenset[str]:
    """Name all documents that others may have written on."""
    sources = [s.id for s in load_sources(settings) if s.trust == "shared"]
    return frozenset(documents.of_sources(sources)) if sources else frozenset()


class Trust:
    """What is known of documents by now; without a shared source nobody is asked."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._sources = [s.id for s in load_sources(settings) if s.trust == "shared"]
        self._known: dict[str, bool] = {}

    def shared(self, document_ids: Collection[str]) -> frozenset[str]:
        """Name those of some documents that are shared; all that nobody knows of, where nobody can be asked."""
        if not self._sources:
            return frozenset()
        if unknown := [i for i in document_ids if i not in self._known]:
            try:
                with open_documents(self._settings) as documents:
                    theirs = documents.of_sources(self._sources, unknown)
            except ConnectionError as error:
                log.warning("whose texts were found is not known: %s", error)
                return frozenset(i for i in document_ids if self._known.get(i, True))
            self._known |= {i: i in theirs for i in unknown}
        return frozenset(i for i in document_ids if self._known[i])
