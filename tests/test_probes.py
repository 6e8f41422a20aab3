"""Probes: questions whose answer is known."""

from dataclasses import replace

import numpy as np
from builders import chunk, cleaned

from ml.probes import ask_probes, choose, make_probes, share_found
from ml.types import Chunk, Hit


def passage(number: int, **changes: object) -> Chunk:
    document = cleaned(url=f"https://example.org/{number}/", title=f"Title {number}")
    text = f"Short one. This is the longest sentence of passage {number}. End."
    return replace(chunk(text, document=document), heading=f"Title {number} > Part", **changes)


def test_documents_give_sentences_and_in_between_a_title_or_a_heading():
    probes = make_probes([[passage(n)] for n in range(4)] + [[]])

    assert [(p.kind, p.question) for p in probes] == [
        ("sentence", "This is the longest sentence of passage 0."),
        ("title", "Title 1"),
        ("sentence", "This is the longest sentence of passage 2."),
        ("heading", "Title 3 > Part"),
    ]


def test_code_and_posts_give_sentences():
    probes = make_probes([[passage(n, kind="post")] for n in range(3)])

    assert {p.kind for p in probes} == {"sentence"}


def test_a_title_may_find_any_passage_of_its_document_the_others_only_their_own():
    _, title, _, heading = make_probes([[passage(n)] for n in range(4)])
    hits = [Hit(replace(p.chunk, id="other"), 1.0) for p in (title, heading)]
    hits += [Hit(heading.chunk, 0.5)]

    assert (title.rank(hits), heading.rank(hits), heading.rank(hits[:2])) == (1, 3, 0)


def test_the_share_counts_those_that_found_their_passage():
    probes = make_probes([[passage(n)] for n in range(4)])

    def dense(vector, limit):
        return [Hit(probes[int(vector.argmax())].chunk, 1.0)]

    def search(question, vector, limit):
        return [Hit(probes[1].chunk, 1.0)]

    ranks = ask_probes(probes, lambda texts: np.eye(4)[: len(texts)], dense, search)

    assert ranks == [1, 1, 1, 0] and share_found(ranks) == 0.75 and share_found([]) == 0.0


def test_the_same_sample_is_chosen_each_time_and_hardly_another_when_one_goes():
    ids = [str(n) for n in range(100)]
    chosen = choose(ids, 10)

    assert chosen == choose(ids[::-1], 10) and len(set(chosen)) == 10
    assert set(choose([i for i in ids if i != chosen[3]], 10)) >= set(chosen) - {chosen[3]}
