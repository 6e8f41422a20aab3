"""What each suite expects: one line for each rule, with the reason that the Data Docs show.

A rule is the name of one of Great Expectations' expectations, its parameters and a note. One that
looks at rows names those that fail, one that looks at the batch as a whole may also only warn. How
suites are run, and what becomes of what they refuse, is in `include/validation.py` and
`include/quality.py`. Secrets and long texts are judged by what was measured on them, so that no
result of a validation holds one.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from ml.grounding import CONTAINED, ON_TOPIC

Suite = Literal["raw", "clean", "chunk", "feature", "dataset"]
Severity = Literal["critical", "warning"]

# Of pairs, the mean difference in length as a share of it; and how far, in standard deviations, "the longer one" may
# be from a fair coin's guess.
LENGTH_DRIFT, LENGTH_SURPRISE = 0.05, 3.0


class Rule(NamedTuple):
    """One expectation; a warning stops nothing."""

    kind: str
    parameters: Mapping[str, object]
    note: str
    severity: Severity = "critical"


LANGUAGES = ["en", "code"]
KINDS = ["article", "post", "code"]
# Shapes of secrets that cleaning must have taken out; a second look, by other means. Searched for, not matched:
# a leading `.*` would try every place of a long text as a start.
SECRETS = re.compile(r"AKIA[A-Z0-9]{16}|gh[pousr]_[A-Za-z0-9]{36}|-----BEGIN [A-Z ]*PRIVATE KEY")
# Of what the last runs had, in the median, a batch has at least this share.
USUAL_SHARE = 0.5
# Nothing new for so long is more likely a crawl that stands still than an author who does.
FRESH_DAYS = 45


def between(column: str, note: str, *, low: float | None = None, high: float | None = None) -> Rule:
    """Expect numbers in a range, ends included."""
    limits = {"min_value": low, "max_value": high}
    known = {k: v for k, v in limits.items() if v is not None}
    return Rule("ExpectColumnValuesToBeBetween", {"column": column, **known}, note)


def one_of(column: str, values: Sequence[object], note: str) -> Rule:
    """Expect one of some values."""
    return Rule("ExpectColumnValuesToBeInSet", {"column": column, "value_set": [*values]}, note)


def present(column: str, note: str) -> Rule:
    """Expect that something is there."""
    return Rule("ExpectColumnValuesToNotBeNull", {"column": column}, note)


def unique(column: str, note: str) -> Rule:
    """Expect every value once."""
    return Rule("ExpectColumnValuesToBeUnique", {"column": column}, note)


NO_SECRET = one_of("secret", [False], "No secret may reach the index or a model.")
VOLUME = Rule(
    "ExpectColumnMinToBeBetween",
    {"column": "volume_share", "min_value": USUAL_SHARE},
    "There is at least half of what the last runs had (their median); less is more likely a loss.",
    "warning",
)
FRESH = Rule(
    "ExpectColumnMinToBeBetween",
    {"column": "days_old", "max_value": FRESH_DAYS},
    f"Something was fetched in the last {FRESH_DAYS} days; otherwise the crawl may stand still.",
    "warning",
)
LENGTHS_ALIKE = Rule(
    "ExpectColumnMeanToBeBetween",
    {"column": "length_difference", "min_value": -LENGTH_DRIFT, "max_value": LENGTH_DRIFT},
    "Chosen texts are, in the mean, as long as rejected ones.",
)
LENGTHS_TELL_NOTHING = Rule(
    "ExpectColumnMaxToBeBetween",
    {"column": "length_surprise", "max_value": LENGTH_SURPRISE},
    "Which text of a pair is the longer one tells no more than a coin which one was chosen.",
)
URL = Rule(
    "ExpectColumnValuesToMatchRegex",
    {"column": "url", "regex": r"^[a-z][a-z0-9+.-]*:"},
    "A document is named by a canonical URL.",
)

SUITES: Mapping[Suite, tuple[Rule, ...]] = {
    "raw": (
        present("title", "Every document has a title."),
        present("author", "Every document has an author."),
        present("fetched_at", "Every document was fetched at some time."),
        between(
            "characters", "Empty pages and runaway pages are no texts.", low=20, high=2_000_000
        ),
        one_of("kind", KINDS, "Known kinds only."),
        one_of("language", LANGUAGES, "The voice is learned in English."),
        URL,
        between("days_ahead", "Nobody publishes in the future (two days are forgiven).", high=2),
        unique("id", "One row for each document."),
        VOLUME,
    ),
    "clean": (
        between("words", "Too few words hold no voice.", low=5, high=200_000),
        between("letter_share", "A text is made of letters; less is markup or noise.", low=0.45),
        between("boilerplate_share", "A page that is nearly all chrome is no text.", high=0.9),
        one_of("heard", LANGUAGES, "What is left is in English too, whatever the page says."),
        one_of("code_kept", [True], "Code blocks are byte for byte those of the source."),
        NO_SECRET,
        unique("id", "One row for each document."),
        VOLUME,
    ),
    "chunk": (
        between("characters", "A passage says something.", low=1),
        between("tokens", "A passage has words that the embedder knows.", low=1),
        between("tokens_over", "A passage fits the embedder's window: nothing is cut off.", high=0),
        between("lost", "Every character that is not blank is in a passage.", low=0, high=0),
        one_of("in_place", [True], "A passage is, word for word, what its span of the text says."),
        NO_SECRET,
        unique("id", "One row for each passage."),
    ),
    "feature": (
        between("words", "Style was measured on words.", low=1),
        between("sentence_words", "Sentences have a plausible length.", low=0.5, high=400),
        between("vocabulary_richness", "A share of words is a share.", low=0.02, high=1.0),
        present("author", "A measurement belongs to an author."),
        present("event_timestamp", "A feature without a time cannot be joined."),
        unique("id", "One row for each document."),
        VOLUME,
        FRESH,
    ),
    "dataset": (
        one_of(
            "grounded", [True], "Every answer names a text that is there, and stands in its span."
        ),
        between("containment", "An answer's runs of words are those of its span.", low=CONTAINED),
        between("topic", "An answer's subject is that of its span.", low=ON_TOPIC),
        one_of("leaked", [False], "Nothing that the test asks or says may be trained on."),
        one_of("crossed", [False], "Documents that share passages stand on one side of the split."),
        one_of("tied", [False], "A preference between equal texts teaches nothing."),
        between("characters", "Every sample has an answer.", low=1),
        LENGTHS_ALIKE,
        LENGTHS_TELL_NOTHING,
        unique("id", "No sample twice."),
        VOLUME,
    ),
}
# What nobody may let pass, as the reasons of rejections.
FINAL_REASONS = frozenset({"secret:values-to-be-in-set"})


def columns(suite: Suite) -> list[str]:
    """Name the columns that a batch must have for its rules to be judged: the suite's schema."""
    return sorted({"id", *(str(rule.parameters["column"]) for rule in SUITES[suite])})
