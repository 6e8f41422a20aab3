"""Cleaning is faithful: code stays byte for byte, and most words of a text stay somewhere."""

from builders import PARAGRAPH, cleaned, document

from ml.fidelity import code_is_kept, removed_share
from ml.text import clean

BLOCK = "```python\nkey = 'x'\n\n\nif key:   \n    go(\"there\")\n```"


def test_a_code_block_that_cleaning_left_alone_is_kept() -> None:
    source = f"{PARAGRAPH}\n\n{BLOCK}\n\n{PARAGRAPH}"
    made = clean(document(source))

    assert BLOCK in made.text and code_is_kept(made, source)


def test_a_code_block_of_which_one_blank_is_lost_is_not() -> None:
    source = f"{PARAGRAPH}\n\n{BLOCK}\n"

    assert not code_is_kept(cleaned(source.replace("key:   ", "key:")), source)
    assert not code_is_kept(cleaned(source.replace('"there"', "“there”")), source)


def test_a_secret_that_was_taken_out_of_code_is_no_loss() -> None:
    source = f"{PARAGRAPH}\n\n```\nkey = 'AKIAABCDEFGHIJKLMNOP'\ngo()\n```\n"
    made = cleaned(source.replace("AKIAABCDEFGHIJKLMNOP", "[SECRET_1]"))

    assert code_is_kept(made, source)
    assert not code_is_kept(cleaned(made.text.replace("go()", "stay()")), source)


def test_every_line_of_a_file_of_code_has_to_be_its_sources() -> None:
    source = "def go():\n    return 1\n\n\n\ndef stay():\n    return 2\n"

    assert code_is_kept(cleaned(source.replace("\n\n\n\n", "\n\n"), kind="code"), source)
    assert not code_is_kept(cleaned(source.replace("    return", " return  "), kind="code"), source)


def test_what_is_neither_text_nor_quote_is_chrome() -> None:
    made = cleaned("one two three four")

    assert removed_share(made, "one two three four five six seven eight") == 0.5
    assert removed_share(made, "one two") == 0.0 == removed_share(made, "")
