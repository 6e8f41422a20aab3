"""The part of the door to MongoDB that keeps answers to many questions at once: to each ask, once."""

from collections.abc import Mapping

from include.collections import Collections
from include.records import Record

ANSWERS = "batch_answers"


class Batches(Collections):
    """Batches of questions, and what was answered."""

    def batch_rows(self, collection: str) -> list[Record]:
        """Read the questions of a collection; the platform's own collections are none."""
        return self._all(collection)

    def batch_answers(self, batch: str) -> dict[str, Record]:
        """Return the answers of a batch by what was asked; a row that was asked otherwise before has several."""
        found = self._collection(ANSWERS).find({"batch": batch})
        return {str(r["_id"]): r for r in found}

    def put_batch_answer(self, ask_id: str, answer: Mapping[str, object]) -> None:
        """Keep the answer to one ask; a second one replaces the first."""
        self._replace(ANSWERS, {ask_id: dict(answer)})
