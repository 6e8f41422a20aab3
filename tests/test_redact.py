"""Secrets and personal data go, numbers that only look like them stay."""

import pytest
from canaries import personal, secrets

from ml.redact import redact, redact_parts

PLANTED = {
    "SECRET": ["AKIAABCDEFGHIJKLMNOP", "ghp_" + "x" * 36, "xoxb-123456789012-abcdefghijkl"],
    "EMAIL": ["someone.else+tag@mail.example.com"],
    "IBAN": ["GB82 WEST 1234 5698 7654 32", "DE89370400440532013000"],
    "CARD": ["4111 1111 1111 1111", "5500-0000-0000-0004"],
    "PHONE": ["+44 20 7946 0148", "+1 (555) 010-9999"],
}
INNOCENT = [
    "It took 1234567890123456 nanoseconds.",
    "Version 2026.11.24 of pg_dump 14.2",
    "SELECT id FROM t WHERE hash = 'd41d8cd98f00b204e9800998ecf8427e'",
    "0x7f3a9c001122 and 10.20.30.40:5432",
    "commit 4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    'password = get_password()  # token: str = "", secret=None, api_key=os.environ["API_KEY2"]',
    "postgresql://user:password@localhost/db and redis://:${REDIS_PASSWORD}@host",
    "icon@2x.png, getty@tty1.service, git@github.com:quay/rope.git, 1.2.3.4, 8.8.8.8, 192.168.1.17",
    "numpy==2.250.118.207 and version 93.184.216.34; ISBN 978-3-16-148410-0; 2026-11-24 12:30:59",
    "days 23 24 25 26 27 28 29 30 and 555-0123; +1.5e+10; a[+1234567890]; task-based-risk-assessment",
    "secret_key_name, tokenizer=AutoTokenizer, Password: at least 12 characters, sk-learn",
    "latencies: 12 15 18 22 31 44 58 99 120 150",
    "@decorator\ndef f(): ...",
]


@pytest.mark.parametrize(("kind", "value"), [(k, v) for k, vs in PLANTED.items() for v in vs])
def test_a_planted_value_is_replaced_by_a_placeholder_of_its_kind(kind: str, value: str):
    text, counts = redact(f"before {value} after")

    assert text == f"before [{kind}_1] after"
    assert counts == {kind: 1}


@pytest.mark.parametrize("text", INNOCENT)
def test_numbers_and_code_stay_as_they_are(text: str):
    assert redact(text) == (text, {})


def test_the_same_value_has_the_same_placeholder():
    text, counts = redact("a@x.org, b@x.org, a@x.org")

    assert text == "[EMAIL_1], [EMAIL_2], [EMAIL_1]"
    assert counts == {"EMAIL": 2}


def test_the_authors_own_address_may_stay():
    assert redact("me@x.org you@x.org", frozenset({"me@x.org"}))[0] == "me@x.org [EMAIL_1]"


AROUND = {
    "prose": "We wrote {} into the log once, and learned.",
    "code": "import os\n\n{}\nprint(os.name)  # {{}}\n",
    "Markdown": "Then:\n\n```sh\n{}\n```\n\nNever again.\n",
}


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)
def test_every_planted_secret_is_caught(around: str):
    planted = [pair for seed in range(3) for pair in secrets(seed).values()]
    left = [
        place[:9] for value, place in planted if value in redact(around.replace("{}", place))[0]
    ]

    assert left == [] and len(planted) > 170


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)
def test_all_planted_personal_data_is_caught_as_what_it_is(around: str):
    planted = [pair for seed in range(3) for pair in personal(seed)]
    caught = [list(redact(around.replace("{}", value))[1]) for _, value in planted]

    assert caught == [[kind] for kind, _ in planted] and len(planted) > 140


def test_only_the_secret_goes_not_what_stands_around_it():
    value = secrets(1)["postgres"][0]

    assert (
        redact(f"db = postgresql://app:{value}@db:5432/app")[0]
        == "db = postgresql://app:[SECRET_1]@db:5432/app"
    )


def test_a_value_has_one_placeholder_in_all_parts_of_a_document_however_it_is_written():
    parts, counts = redact_parts(
        ("Mail A@x.org.", "or a@x.org, b@x.org", "+44 20 7946 0148 +442079460148")
    )

    assert parts == ["Mail [EMAIL_1].", "or [EMAIL_1], [EMAIL_2]", "[PHONE_1] [PHONE_1]"]
    assert counts == {"EMAIL": 2, "PHONE": 1}


def test_redacting_twice_changes_nothing():
    text = " ".join(place for _, place in secrets(2).values()) + " ".join(v for _, v in personal(2))
    once = redact(text)[0]

    assert redact(once) == (once, {})


def test_the_authors_own_name_and_addresses_stay_however_they_are_written():
    own = frozenset({"Maren@Oduya.example", "+44 20 7946 0148"})
    text = "Maren Oduya, maren@oduya.example, +442079460148"

    assert redact(text, own) == (text, {})
