"""The answers of batches in MongoDB: one to each ask, found by their batch."""

from include.documents import open_documents


def test_an_ask_has_one_answer_and_a_batch_its_own(settings):
    with open_documents(settings) as documents:
        for batch, answer in (("b", "first"), ("b", "second"), ("c", "other")):
            documents.put_batch_answer(f"{batch}-1", {"batch": batch, "row": "1", "answer": answer})
        documents._replace("questions", {"2": {"question": "two"}, "1": {"question": "one"}})

        assert {r: a["answer"] for r, a in documents.batch_answers("b").items()} == {
            "b-1": "second"
        }
        assert [r["question"] for r in documents.batch_rows("questions")] == ["one", "two"]
