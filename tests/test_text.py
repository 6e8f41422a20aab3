"""Cleaning keeps the voice and takes the rest."""

from dataclasses import replace

import pytest
from builders import PARAGRAPH, document
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.text import clean
from ml.types import CleanDocument, Rejected


def text_of(raw: str, **options) -> str:
    result = clean(document(raw), **options)
    assert isinstance(result, CleanDocument)
    return result.text


def test_apostrophes_punctuation_and_paragraphs_stay_as_they_were_written():
    raw = f"It isn’t “quite” right — don't you think?\n\n- one item\n- two items\n\n{PARAGRAPH * 3}"

    assert text_of(raw).rstrip() == raw.rstrip()


def test_code_blocks_stay_byte_for_byte():
    code = "```python\ndef f(x):\n\n\n\n    return  x  # trailing   \n```"

    assert code in text_of(f"{PARAGRAPH * 3}\n\n{code}\n\n{PARAGRAPH}")


def test_quoted_words_of_other_people_leave_the_text_but_are_kept():
    result = clean(document(f"{PARAGRAPH * 3}\n\n> It is magic!\n> Really.\n\n{PARAGRAPH}"))

    assert isinstance(result, CleanDocument)
    assert "magic" not in result.text
    assert result.quotes == ("It is magic!\nReally.",)


def test_a_quote_mark_inside_code_is_not_a_quotation():
    code = "```\n> SELECT 1;\n```"

    assert code in text_of(f"{PARAGRAPH * 3}\n\n{code}\n")


def test_secrets_are_gone_from_prose_and_from_code():
    key, token = "AKIAQ7TIDES4EXAMPLE3", "ghp_" + "a1B2" * 9
    raw = f"{PARAGRAPH * 3} {key}\n\n```sh\nexport T={token}\n```\n"

    assert key not in text_of(raw)
    assert token not in text_of(raw)


def test_a_text_of_a_few_words_is_rejected_with_its_reason_and_its_text():
    result = clean(document("Too short."))

    assert isinstance(result, Rejected)
    assert (result.reason, result.value, result.text) == ("too-short", "2 words", "Too short.")


def test_a_file_of_code_stays_byte_for_byte_but_for_secrets():
    raw = "\n\ndef f():\r\n    s = 'it’s \u200b'\n\n\n\n    return s  \n\n# one two three four five\n\n"

    assert clean(document(raw, kind="code")).text == raw


FENCES = {
    "a fence": "```python\ndef f(x):\n\n\n\n    return  x  # trailing   \n```",
    "a fence of tildes": "~~~\n```\n\u200bnot the end\n```\n~~~",
    "a fence that holds fences": "````markdown\n```sh\nls   \n```\n\n\n\n> quote\n````",
    "a fence in a list": "- first\n\n  ```sh\n  cd   /tmp   \n\n\n\n  ```\n- second",
    "indentation": "    x = 1   \n\n\n\n    # “curly” 𝗯𝗼𝗹𝗱\n    y = 2",
    "indentation in a list": "1. one\n\n       make   all   \n\n2. two",
    "raw HTML": "<pre>\na  \u200b b   \n</pre>",
    "a fence that is never closed": "```\n> x   \n\n\n\n<!-- kept -->",
}


@pytest.mark.parametrize("code", FENCES.values(), ids=FENCES)
def test_code_of_every_form_stays_byte_for_byte(code: str):
    assert code in text_of(f"{PARAGRAPH * 3}\n\n{code}\n\n{PARAGRAPH}")


def test_a_post_has_no_indented_code():
    assert (
        "two   \n"
        not in clean(document("One thing:\n\n    two   \n    three four\n", kind="post")).text
    )


def test_a_call_out_is_the_authors_and_a_quotation_is_not():
    result = clean(
        document(f"{PARAGRAPH * 3}\n\n> [!NOTE]\n> Mind the gap.\n\nSo:\n\n> A said\nlazily.\n")
    )

    assert "Mind the gap." in result.text
    assert result.quotes == ("A said\nlazily.",)


def test_what_readers_wrote_below_is_kept_as_context():
    below = "## 2 comments\n\n**Ana** says:\n\nLovely, mail me: ana@x.org\n"
    result = clean(document(f"{PARAGRAPH * 3} Or mail ana@x.org.\n\n{below}"))

    assert "Lovely" not in result.text and "[EMAIL_1]" in result.text
    assert result.comments == ("**Ana** says:\n\nLovely, mail me: [EMAIL_1]",)


def test_the_comments_of_a_page_are_kept_as_context_too():
    result = clean(replace(document(), comments=("First!",)))

    assert (result.comments, "First!" in result.text) == (("First!",), False)


def test_a_clean_text_has_a_revision_of_its_own():
    one, same, other = (
        clean(document(f"{PARAGRAPH * 3}{end}")) for end in ("", "\u200b\n", "More.")
    )

    assert one.revision == same.revision != other.revision


BLOCKS = st.sampled_from(
    [
        PARAGRAPH,
        "It isn’t “quite” 𝗿𝗶𝗴𝗵𝘁 — e\u0301.",
        "- one\n- two\n  more",
        "1. one\n\n   two",
        "```python\nx = 1   \n\n\n\ny\n```",
        "    indented = code   ",
        "## A heading",
        "| a | b |\n| - | - |\n| 1 | 2 |",
        "<!-- hidden -->",
        "mail a.b@example.org   ",
        "\u200b",
        "",
    ]
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(BLOCKS, min_size=1, max_size=8))
def test_cleaning_any_mixture_twice_changes_nothing_and_loses_no_code(blocks: list[str]):
    raw = "\n\n".join([PARAGRAPH * 3, *blocks])
    once = text_of(raw)

    assert text_of(once) == once
    assert once.count("x = 1   \n\n\n\ny\n```") == blocks.count("```python\nx = 1   \n\n\n\ny\n```")


def test_cleaning_twice_changes_nothing():
    once = text_of(
        f"{PARAGRAPH * 3}\n\n\n\n> quote\n\nMail a@b.org or call +44 20 7946 0123 now.\n"
    )

    assert text_of(once) == once
