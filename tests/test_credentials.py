"""Secrets are found where they stand, to the letter, and what merely speaks of them is not one."""

import pytest
from canaries import secrets

from ml.credentials import find_secrets


def test_a_secret_is_found_to_the_letter():
    value = secrets(5)["assigned"][0]
    text = f'first\nclient_secret = "{value}"  # İ, a letter that grows when it is made small\n'

    assert [text[a:b] for a, b in find_secrets(text)] == [value]


def test_spans_come_in_order_and_do_not_overlap():
    spans = find_secrets("\n".join(place for _, place in secrets(6).values()))

    assert spans == sorted(spans)
    assert all(one[1] <= other[0] for one, other in zip(spans, spans[1:], strict=False))


@pytest.mark.parametrize(
    "text",
    [
        'password = "correct horse"  # words, not a password that a machine made',
        "def check_token(token: str, secret_key: bytes = b'') -> bool: ...",
        'api_key = "YOUR_API_KEY_1234"',
        "the token is 128 tokens long; the secret was out",
        "jdbc:postgresql://localhost:5432/db?user=app&password=secret",
    ],
)
def test_what_speaks_of_secrets_holds_none(text: str):
    assert find_secrets(text) == []
