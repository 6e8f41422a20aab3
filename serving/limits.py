"""What a request may say about its sources: their kind, and when they were written."""

from datetime import datetime

from pydantic import AwareDatetime, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from ml.types import Kind
from serving.fields import Open


class Limited(Open):
    """A request over some of the sources; `since` is included, `until` is not."""

    kind: Kind | None = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None

    @field_validator("until")
    @classmethod
    def _ends_after_it_begins(
        cls, until: datetime | None, others: ValidationInfo
    ) -> datetime | None:
        since = others.data.get("since")
        if since and until and until <= since:
            said = "Input should be later than since: no text lies between the two"
            raise PydanticCustomError("period", said)
        return until
