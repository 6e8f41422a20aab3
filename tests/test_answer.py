"""From a question to a cited answer: what is quoted is verbatim, and what is not known is not guessed."""

from dataclasses import replace

import numpy as np
import pytest
from builders import MOMENT, chunk, cleaned

from ml.answer import (
    CANDIDATES,
    DEFAULT_STEPS,
    MARK,
    Ask,
    Library,
    Voice,
    choose_steps,
    finish,
    opening,
    prepare,
)
from ml.expand import Variants
from ml.rerank import Ranker, Ranking
from ml.types import Hit

ROPE = cleaned(
    "We check the rope that looks sound, because nobody else does. The harbour taught us that on a Tuesday.",
    url="https://example.org/rope/",
    title="The rope",
)
SOUP = cleaned(
    "A good soup needs an onion that was cut by hand. Everything else is a matter of patience.",
    url="https://example.org/soup/",
    title="The soup",
)


class WordEmbedder:
    """Embeds a text as the set of its longer words, which is enough to tell a rope from a soup."""

    def __init__(self) -> None:
        self.known: dict[str, int] = {}

    def encode(self, texts):
        vectors = np.zeros((len(texts), 256), dtype=np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for word in {w.strip(".,?").lower() for w in text.split() if len(w) > 3}:
                row[self.known.setdefault(word, len(self.known))] = 1.0
            row /= max(np.linalg.norm(row), 1e-9)
        return vectors


def index(*documents):
    """Answer searches with every document's one chunk, and remember what was asked for."""
    asked = []

    def search(*given, **options):
        asked.append(options)
        embedding = given[-1]
        hits = [
            Hit(chunk(d.text, document=d), EMBEDDER.encode([d.text])[0] @ embedding)
            for d in documents
        ]
        return sorted(hits, key=lambda h: -h.score)

    search.asked = asked
    return search


EMBEDDER = WordEmbedder()
VOICE = Voice("Maren Oduya", {})


def library(*documents, **options):
    search = index(*documents)
    return Library(EMBEDDER, search, search, Ranker(Ranking()), **options)


def prepared(question, *documents, below=0.2, **options):
    return prepare(Ask(question, "maren-oduya", **options), library(*documents), VOICE, below)


def test_every_passage_that_the_model_is_shown_is_a_source_and_each_document_is_quoted_once():
    passages = [chunk(ROPE.text, position=n, document=ROPE) for n in range(3)]
    hits = [Hit(p, 0.9) for p in passages] + [Hit(chunk(SOUP.text, document=SOUP), 0.2)]
    found = replace(library(), dense=lambda *_, **__: hits, words=lambda *_, **__: hits)

    ready = prepare(Ask("Which rope do you check?", "maren-oduya"), found, VOICE, 0.0)

    assert [s.url for s in ready.sources] == [*[ROPE.url] * 3, SOUP.url]
    assert all(s.quote in ready.messages[0].content for s in ready.sources)
    assert ready.quoted.count("[") == 1


@pytest.mark.parametrize(("overfetch", "asked"), [(True, CANDIDATES), (False, 3)])
def test_more_passages_than_are_kept_are_looked_at_where_that_is_wanted(overfetch, asked):
    search = index(ROPE)
    steps = Ask("", "").steps - (set() if overfetch else {"overfetch"})
    prepare(
        Ask("Which rope?", "x", limit=3, steps=steps), replace(library(), dense=search), VOICE, 0.2
    )

    assert search.asked[0]["limit"] == asked


def test_without_cite_an_answer_names_its_sources_and_does_not_open_with_them():
    steps = Ask("", "").steps - {"cite"}
    ready = prepared("Which rope do you check?", ROPE, steps=steps)

    assert (opening(ready), [s.url for s in ready.sources]) == (MARK, [ROPE.url])
    assert prepared("What is a quasar?", SOUP, below=0.9, steps=steps).quoted


def test_a_passage_that_is_no_evidence_is_not_named_as_a_source():
    ready = prepared("Which rope do you check?", ROPE, SOUP)

    assert [s.url for s in ready.sources] == [ROPE.url]


def test_evidence_is_quoted_word_for_word_with_its_source():
    ready = prepared("Which rope do you check?", ROPE, SOUP)

    (first, *_) = ready.sources
    assert (first.number, first.url, first.title) == (1, ROPE.url, "The rope")
    assert all(sentence in ROPE.text for sentence in first.quote.split(" … "))
    assert "[1]" in ready.quoted
    assert "check the rope that looks sound" in ready.quoted
    assert not ready.abstained


def test_what_the_model_says_is_marked_as_its_own():
    ready = prepared("Which rope do you check?", ROPE)
    answer = finish(ready, " The old one. ", 12, 4)

    assert answer.content == opening(ready) + "The old one."
    assert "(generated)" in opening(ready)
    assert (answer.quoted, answer.generated) == (ready.quoted, "The old one.")
    assert (answer.prompt_tokens, answer.completion_tokens) == (12, 4)


def test_what_was_never_written_about_is_not_guessed():
    ready = prepared("Who won yesterday's football match?", ROPE, SOUP)
    answer = finish(ready, "Brazil, of course.", 9, 5)

    assert answer.abstained
    assert answer.sources == ()
    assert answer.generated == ""
    assert answer.content.startswith("I have not written about that")
    assert "The rope" in answer.content


def test_an_empty_index_is_an_abstention():
    assert prepared("Which rope do you check?").abstained


def test_the_evidence_stands_in_the_prompt_as_data():
    ready = prepared("Which rope do you check?", ROPE)
    system, user = ready.messages

    assert "check the rope that looks sound" in system.content
    assert (system.role, user.role) == ("system", "user")
    assert user.content == "Which rope do you check?"


def test_filters_reach_the_search():
    search = index(ROPE)
    ask = Ask("rope?", "maren-oduya", kind="post", since=MOMENT, until=MOMENT)
    prepare(ask, replace(library(), dense=search), VOICE, 0.2)

    ((asked),) = search.asked
    only = {k: asked[k] for k in ("author", "kind", "since", "until")}
    assert only == {"author": "maren-oduya", "kind": "post", "since": MOMENT, "until": MOMENT}


def test_by_default_what_nothing_supports_is_left_out_unless_nothing_would_be_left():
    usual = set(DEFAULT_STEPS.split(","))

    assert choose_steps("", {}, "SmolLM2-135M") == usual | {"strict"}
    assert choose_steps("", {}, "tiny") == usual
    assert choose_steps("", {"strict": False, "expand": True}, "x/y") == usual | {"expand"}
    assert choose_steps("hybrid, strict", {}, "tiny") == {"hybrid", "strict"}


def test_other_words_come_from_whoever_is_passed_in_and_only_where_they_are_wanted():
    asked = []

    def expand(question):
        asked.append(question)
        return Variants(("a check of old ropes",), "somebody")

    found, steps = library(ROPE, expand=expand), Ask("", "").steps | {"expand"}
    usual = prepare(Ask("Which rope?", "maren-oduya"), found, VOICE, 0.2)
    made = prepare(Ask("Which rope?", "maren-oduya", steps=steps), found, VOICE, 0.2)
    prepare(Ask("Hello!", "maren-oduya", steps=steps), found, VOICE, 0.2)

    assert asked == ["Which rope?"]
    assert usual.how["variants"] == {"texts": [], "by": ""}
    assert made.how["variants"] == {"texts": ["a check of old ropes"], "by": "somebody"}
