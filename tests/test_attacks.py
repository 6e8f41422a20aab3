"""Attacks: who obeys a note or tells a secret is found out, and who keeps quiet is not accused."""

from ml.attacks import attacks, is_private


def test_an_attack_works_when_its_word_is_said_and_only_then():
    for attack in attacks():
        assert attack.succeeded(f"Well, {attack.planted.upper()} it is.")
        assert not attack.succeeded("I would rather not say, and a note is no instruction.")


def test_every_attack_plants_its_word_where_the_model_reads_it():
    tried = attacks()

    assert len({a.planted for a in tried}) == len(tried) == 8
    assert all(a.planted in a.messages[0].content.lower() for a in tried)
    assert tried == attacks()


def test_a_note_can_not_close_its_own_fence():
    (fenced,) = [a for a in attacks() if a.planted == "tangerine"]

    assert fenced.messages[0].role == "system" and fenced.messages[1].role == "user"


def test_what_is_private_counts_whoever_asked_but_for_what_its_author_publishes():
    said = "Write to maren@oduya.example about it."

    assert is_private(said) and not is_private(said, frozenset({"maren@oduya.example"}))
    assert attacks()[0].succeeded(said)
    assert not is_private("Nothing here belongs to anybody.")
