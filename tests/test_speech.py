"""An answer as it comes: what may begin a stop text waits, and characters come whole."""

import pytest

from ml.speech import Speech, Strip, hold_back, room_for, whole_characters


@pytest.mark.parametrize(
    ("pieces", "stop", "heard"),
    [
        (["ab", "cd", "ef"], ["cde"], "ab"),
        (["ab", "c"], ["cd"], "abc"),
        (["one END", " two"], ["END"], "one "),
        (["a", "b", "c"], [], "abc"),
        (["xEN", "x", "END"], ["END"], "xENx"),
        (["stop"], ["stop"], ""),
    ],
)
def test_what_may_begin_a_stop_string_waits(pieces: list[str], stop: list[str], heard: str) -> None:
    assert "".join(hold_back(iter(pieces), stop)) == heard


def test_bytes_that_are_no_character_are_left_out_at_the_end_only() -> None:
    assert list(whole_characters(iter(["a\ufffd", "\ufffd", "b", "\ufffd"]))) == [
        "a",
        "\ufffd\ufffdb",
    ]


@pytest.mark.parametrize("said", ["", "  ", " a", "a ", "\n a b\n\n c  ", "ab"])
def test_a_streamed_answer_is_stripped_as_a_whole_one_is(said: str) -> None:
    for size in (1, 2, 5):
        strip = Strip()
        pieces = [said[i : i + size] for i in range(0, len(said), size)]

        assert "".join(map(strip.feed, pieces)) == said.strip()


def test_a_speech_is_read_piece_by_piece():
    speech = Speech()
    speech.pieces = iter(["a", "b"])

    assert list(speech) == ["a", "b"]
    assert (speech.finish, speech.tokens) == ("stop", 0)


def test_a_prompt_leaves_room_or_is_refused():
    assert room_for([1, 2, 3], 5, "any") == 2
    with pytest.raises(ValueError, match="5 tokens long, but the model any reads 5 at most"):
        room_for([1] * 5, 5, "any")
