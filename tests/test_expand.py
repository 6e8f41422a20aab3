"""Other ways of asking (ml/expand.py): the subject stays, and the question itself is none of them."""

import pytest

from ml.expand import expand_by_rules


def test_other_ways_of_asking_keep_the_subject():
    variants = expand_by_rules("What do you think about the size of a connection pool?")

    assert variants.by == "rules"
    assert "the size of a connection pool" in variants.texts
    assert all("connection pool" in v for v in variants.texts)


@pytest.mark.parametrize("question", ["", "?!", "ropes"])
def test_what_has_no_other_way_of_being_asked_gets_none(question):
    assert question not in expand_by_rules(question).texts
    assert all(expand_by_rules(question).texts)
