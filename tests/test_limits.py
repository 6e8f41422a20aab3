"""Limits of the sources: a kind that there is, and a period in which a text may lie."""

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from serving.limits import Limited


def test_a_request_may_name_a_kind_and_either_end_of_a_period_or_both():
    asked = {"kind": "post", "since": "2022-01-01T00:00:00Z", "until": "2023-01-01T00:00:00.000Z"}
    limited = Limited.model_validate(asked)

    assert (limited.kind, limited.until) == ("post", datetime(2023, 1, 1, tzinfo=UTC))
    for name in asked:
        (left,) = Limited.model_validate({name: asked[name]}).model_dump(exclude_none=True)
        assert left == name
    assert Limited(since=None, until=limited.until).since is None


@pytest.mark.parametrize(
    "until", ["2022-01-01T00:00:00Z", "2021-12-31T00:00:00Z", "2022-01-01T01:00:00+02:00"]
)
def test_a_period_in_which_no_text_can_lie_is_refused_in_words(until):
    with pytest.raises(ValidationError, match="should be later than since: no text lies"):
        Limited.model_validate({"since": "2022-01-01T00:00:00Z", "until": until})


@pytest.mark.parametrize("odd", [{"kind": "poem"}, {"since": "2022-01-01"}, {"until": "soon"}])
def test_what_is_no_kind_or_no_moment_is_not_read(odd):
    with pytest.raises(ValidationError):
        Limited.model_validate(odd)
