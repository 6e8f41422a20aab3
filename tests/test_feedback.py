"""Judgements of answers: learned from only with consent, only where they hold, and gone with what is forgotten."""

from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from builders import MOMENT, cleaned
from own_texts import own_artifacts, prose
from serving_world import QUESTION, ask

from include import registry
from include.datasets import build_dataset
from include.documents import open_documents
from include.erasure import PLACES
from include.erasure_wanted import Doors, look_for
from ml import feedback as judged
from ml.answer import MARK
from ml.feedback import EDITED, NO_CONSENT, NO_OTHER, REGENERATED, THUMBS, Corpus, join, learn
from ml.types import Example, Feedback, Message, Span, Trace, digest
from serving.keys import Key, allow_key

TEXT = prose(1)
SAID = TEXT.split("\n\n")[0]
WORSE = "It depends on very many things and nobody could say anything about it in general, " * 8
KNOWN, TESTED = cleaned(TEXT), cleaned(prose(2), url="https://example.org/tested/")
EDIT = (
    "Look at the rope that nobody looks at, and then at the person who told you not to; "
    "write to me at friend@elsewhere.example and I will say the same."
)


def sample(document, split):
    question, answer = Message("user", "What of it?"), Message("assistant", document.text)
    span = Span(document.id, document.revision, 0, len(document.text))
    return Example((question, answer), span, "answer", split)


CORPUS = Corpus(
    documents={d.id: d for d in (KNOWN, TESTED)},
    examples=[sample(KNOWN, "train"), sample(TESTED, "test")],
    style={},
    author="maren-oduya",
    name="Maren Oduya",
    leak_words=10,
)


def trace(name, said=WORSE, question="Which rope?", document=KNOWN, **how):
    quoted = document.text[:40]
    source = {"document_id": document.id, "quote": quoted, "spans": [[0, 40]]}
    answer = f"> {quoted} [1]\n\n{MARK}{said}"
    return Trace(name, "m", MOMENT, question, answer, (), False, {}, how, (source,))


def given(name, score=0, edit="", consent=True, by="maren"):
    return Feedback(name, score, "", MOMENT + timedelta(seconds=score), edit, by, consent)


def learned(traces, *said):
    return learn(said, {t.id: t for t in traces}, CORPUS)


def reasons(taught):
    return [r.reason for r in taught.refused]


def test_an_edit_is_chosen_over_what_the_model_said_as_the_author_s_own_text():
    taught = learned([trace("a")], given("a", edit=EDIT))
    ((pair,), (edit,)) = taught.pairs, taught.edits

    assert (pair.how, pair.split, pair.messages[-1].content) == (EDITED, "train", "Which rope?")
    assert WORSE.startswith(pair.rejected) and KNOWN.text[:40] in pair.messages[0].content
    assert abs(len(pair.rejected) - len(pair.chosen)) < 20
    assert (
        edit.text[pair.span.start : pair.span.end] == pair.chosen
        and edit.id == pair.span.document_id
    )
    # Personal data leaves a reader's text as it leaves every other.
    assert "friend@" not in pair.chosen and "[EMAIL_1]" in pair.chosen


def test_a_praised_answer_is_chosen_over_a_blamed_one_and_over_one_that_it_replaced():
    asked = [trace("a"), trace("b", SAID), trace("c", SAID, "And a knot?", instead_of="d")]
    asked.append(trace("d", question="And a knot?"))
    taught = learned(asked, given("a", -1), given("b", 1), given("c", 1))

    assert [p.how for p in taught.pairs] == [THUMBS, REGENERATED]
    assert all(p.chosen == SAID and p.span.document_id == KNOWN.id for p in taught.pairs)
    assert taught.edits == taught.refused == []


def test_a_pair_is_asked_after_the_turns_that_the_answer_followed():
    turns = [{"role": "user", "content": "And knots?"}, {"role": "assistant", "content": "None."}]
    (pair,) = learned([trace("a", earlier=turns)], given("a", edit=EDIT)).pairs

    assert [(m.role, m.content) for m in pair.messages[1:]] == [
        *((t["role"], t["content"]) for t in turns),
        ("user", "Which rope?"),
    ]


def test_of_what_was_given_without_consent_nothing_is_learned():
    taught = learned(
        [trace("a"), trace("b", SAID)],
        given("a", edit=EDIT, consent=False),
        given("b", 1),
        given("a", -1, consent=False, by="bob"),
    )

    assert taught.pairs == [] and reasons(taught) == [NO_CONSENT, NO_OTHER, NO_CONSENT]


@pytest.mark.parametrize(
    ("asked", "said", "reason"),
    [
        (trace("a", ""), given("a", edit=EDIT), "said nothing of its own"),
        (trace("a", format="json"), given("a", edit=EDIT), "JSON"),
        (trace("a", document=TESTED), given("a", edit=EDIT), "held out for the test"),
        (
            trace("a", document=cleaned("Gone. " * 20, url="x:")),
            given("a", edit=EDIT),
            "gone since",
        ),
        (trace("a", WORSE, instead_of="b"), given("a", 1), "does not stand in its sources"),
        (trace("a", EDIT), given("a", edit=EDIT), "say the same"),
        (trace("a", "No."), given("a", edit=EDIT), "too short to be compared"),
        (trace("a"), given("a", edit=TESTED.text[:120]), "what the test says"),
        (trace("a"), given("a", 1), "judged the other way"),
    ],
)
def test_what_makes_no_pair_is_kept_with_the_reason(asked, said, reason):
    taught = learned([asked, trace("b", SAID)], said)

    assert taught.pairs == taught.edits == []
    ((refused,),) = [taught.refused]
    assert (refused.where, refused.stage) == ("a", "feedback") and reason in refused.reason


def test_who_says_the_same_twice_is_heard_once():
    again = trace("b", question="Which  ROPE?")
    taught = learned([trace("a"), again], given("a", edit=EDIT), given("b", edit=EDIT))

    assert len(taught.pairs) == len(taught.edits) == 1
    assert reasons(taught) == [judged.REPEATED]


def test_pairs_that_would_let_length_tell_stay_out():
    asked = [trace(f"a{i}", question=f"Which rope of {i}?") for i in range(9)]
    taught = learned(
        asked, *(given(t.id, edit=f"{EDIT} {i * 'So. '}") for i, t in enumerate(asked))
    )
    one_sided = replace(
        taught,
        pairs=[replace(p, rejected=p.rejected[:-25]) for p in taught.pairs],
    )
    one_sided = replace(one_sided, answers={p.id: "a0" for p in one_sided.pairs})
    kept, left = join([], one_sided)

    assert len(taught.pairs) == 9 and len(kept) == len(left.pairs) == 1
    assert reasons(left) == [judged.TOLD_BY_LENGTH] * 8 and len(left.edits) == 1


def test_only_a_key_that_may_teach_can_consent(answering, stock, url):
    allow_key(answering.world, "pupil", Key("pupil", ("chat", "feedback")))
    trace_id = ask(stock).trace_id

    def say(**fields):
        headers = {"Authorization": "Bearer pupil"}
        body = {"trace_id": trace_id, "score": 1, **fields}
        return httpx.post(f"{url}/v1/feedback", json=body, headers=headers)

    refused = say(consent=True)
    assert refused.status_code == 403 and "lacks the scope 'teach'" in refused.text
    assert say(edit="So I would say.").json() == {"status": "kept"}


def test_an_edit_becomes_a_pair_of_the_next_dataset_and_goes_with_what_it_quotes(
    answering, stock, http, served, tmp_path
):
    world = own_artifacts(*served, tmp_path)
    parent = registry.list_datasets(world)[-1]
    answer = next(
        a for seed in range(60) if len((a := ask(stock, seed=seed, max_tokens=90)).generated) > 150
    )
    said = {"trace_id": answer.trace_id, "score": -1, "edit": EDIT, "consent": True}
    assert http.post("/v1/feedback", json=said).json() == {"status": "kept"}
    try:
        built = build_dataset(world.model_copy(update={"dataset_change": 0.0}))
        pairs = registry.read_preferences(world, str(built["dataset_id"]))
        card = (registry.dataset_folder(world, str(built["dataset_id"])) / "README.md").read_text()
        (mine,) = [p for p in pairs if p.how == EDITED]

        assert built["created"] and built["dataset_id"] != parent
        assert built["feedback"]["pairs"] == 1
        assert (mine.messages[-1].content, mine.chosen[:30]) == (QUESTION, EDIT[:30])
        assert "| pairs: edited | 1 |" in card
        with open_documents(world) as documents:
            wanted = look_for(documents, frozenset({"x:"}), frozenset(), MOMENT)
            known = replace(wanted, ids=frozenset({digest("x")}), sentences=(EDIT[:60],))
            doors = Doors(world, documents, None, None)
            places = {p.name: p for p in PLACES}
            assert places["datasets"].find(doors, known) == 1
            assert places["answers"].find(doors, known) == 1
            places["answers"].erase(doors, known)
            assert documents.trace(answer.trace_id) is None
    finally:
        with open_documents(world) as documents:
            documents.forget_answers([answer.trace_id])
