"""The probe of general ability: fixed questions, each with its answer."""

from ml.probe import probe_conversations


def test_every_question_of_the_probe_is_asked_once_and_answered() -> None:
    probe = probe_conversations()

    assert len({asked.content for asked, _ in probe}) == len(probe) == 24
    assert all([m.role for m in c] == ["user", "assistant"] and c[1].content for c in probe)
