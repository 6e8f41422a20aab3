"""Drafts become samples as the twin will be asked, each once, whatever order the documents came in."""

from own_articles import STYLE, articles

from ml.examples import count, make_examples
from ml.grounding import support
from ml.prompts import twin_messages
from ml.splits import split_documents


def test_every_answer_is_word_for_word_its_span_of_the_source() -> None:
    documents = articles()
    texts = {d.id: d for d in documents}

    examples = make_examples(documents, split_documents(documents, 0.2), STYLE, "Maren")

    assert len(examples) >= 10
    for example in examples:
        found = support(example.span, example.messages[-1].content, texts)
        assert (found.containment, found.grounded) == (1.0, True)


def test_the_same_documents_in_another_order_make_the_same_samples() -> None:
    documents = articles()
    splits = split_documents(documents, 0.2)

    one = make_examples(documents, splits, STYLE, "Maren")
    other = make_examples(list(reversed(documents)), splits, STYLE, "Maren")

    assert [e.id for e in one] == [e.id for e in other]


def test_a_question_that_somebody_put_in_other_words_is_rendered_as_the_endpoint_renders_it() -> (
    None
):
    documents = articles(1)
    splits = split_documents(documents, 0.2)

    asked = make_examples(documents, splits, STYLE, "Maren", lambda d: f"Tell me: {d.instruction}")

    example = next(e for e in asked if e.task == "answer")
    question, (note,) = (
        "Tell me: Why does number 0 matter?",
        example.messages[0].content.split("<note 1>")[1:],
    )
    evidence = [note.split("</note>")[0].strip()]
    assert example.messages[:-1] == twin_messages(question, evidence, STYLE, "Maren")


def test_samples_are_counted_by_split_and_task() -> None:
    documents = articles()
    examples = make_examples(documents, split_documents(documents, 0.2), STYLE, "Maren")

    counted = count(examples, [])

    assert sum(counted.values()) == len(examples) and counted["test/answer"] == 2
