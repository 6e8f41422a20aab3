"""Programs become samples: write what is described, explain what follows a description."""

import pytest
from builders import cleaned

from ml.drafts import draft_samples
from ml.drafts_code import from_code
from ml.grounding import support

PROGRAM = (
    'import os\n\n\ndef rotate(path):\n    """Close a segment and open the next, whose name is the number of its\n'
    "    first record; nothing is ever renamed, because a rename can be lost.\n"
    '    """\n    size = os.stat(path).st_size\n    if size < 10:\n        return path\n    return path + \'.1\'\n'
)

SAID = "Close a segment — and open the next, whose name is\nthe number of its first record. Nothing is renamed, ever."
BODY = "  size = stat(path);\n  if (size < 10) { return 0; }\n  return 1;\n}"
# How a comment stands before a function, and how the function begins.
COMMENTED = {
    "a.go": ("// {}\n// {}\n", "func (l *Log) rotate(path string) int {"),
    "a.rs": ("/// {}\n/// {}\n#[inline]\n", "pub fn rotate(path: &str) -> u8 {"),
    "a.js": ("/* {}\n   {} */\nexport ", "function rotate(path) {"),
    "a.ts": (
        "/**\n * {}\n * {}\n *\n * @param path where\n */\n",
        "function rotate(path: string): number {",
    ),
    "A.java": ("class A {{\n/** {}\n  * {} */\n", "@Override int rotate(String path) {"),
}


def test_a_function_is_written_from_its_name_and_the_first_line_of_its_description() -> None:
    code = cleaned(PROGRAM, kind="code", url="https://x/blob/log.py")

    (draft,) = [d for d in draft_samples(code) if d.task == "code"]

    assert draft.instruction.startswith(
        "Write the Python function `rotate`: Close a segment and open"
    )
    assert draft.answer == code.text[draft.span.start : draft.span.end]
    assert draft.answer.startswith("def rotate") and draft.answer.endswith("'.1'")


def test_an_asynchronous_function_is_one_too() -> None:
    code = cleaned(
        PROGRAM.replace("def rotate", "async def rotate"), kind="code", url="https://x/log.py"
    )

    assert sorted(d.task for d in draft_samples(code)) == ["code", "explain"]


def test_a_description_explains_the_code_that_follows_it_and_is_found_where_its_span_says() -> None:
    code = cleaned(PROGRAM, kind="code", url="https://x/blob/log.py")

    (draft,) = [d for d in draft_samples(code) if d.task == "explain"]

    assert "Close a segment" not in draft.instruction and "os.stat(path)" in draft.instruction
    assert draft.answer.startswith("Close a segment") and "\n    " not in draft.answer
    # The indentation went, so the span is not the same to the letter: it holds the same words.
    assert code.text[draft.span.start : draft.span.end] != draft.answer
    assert support(draft.span, draft.answer, {code.id: code}).grounded


@pytest.mark.parametrize("name", COMMENTED)
def test_in_other_languages_the_comment_before_a_function_explains_it(name: str) -> None:
    comment, begins = COMMENTED[name]
    # What is far off, on the line of something else, or about no function, describes nothing.
    others = f"// {SAID.replace(chr(10), ' ')}\n\n{begins}\n{BODY}\n"
    text = comment.format(*SAID.split("\n")) + f"{begins}\n{BODY}\n"
    document = cleaned(f"{text}{others}", kind="code", url=f"https://x/blob/{name}")

    explained, written = draft_samples(document)

    assert (explained.task, written.task) == ("explain", "code")
    assert explained.answer == SAID and "stat(path)" in explained.instruction
    assert "segment" not in explained.instruction and "@param" not in explained.answer
    assert written.instruction.partition("`: ")[2] == SAID.replace("\n", " ").removesuffix(
        " Nothing is renamed, ever."
    )
    assert written.answer == f"{begins}\n{BODY}" and " function `rotate`" in written.instruction
    for draft in (explained, written):
        assert support(draft.span, draft.answer, {document.id: document}).grounded


def test_what_is_no_python_or_describes_nothing_makes_no_samples() -> None:
    for text, name in (
        (PROGRAM, "log.go"),
        ("def (:", "log.py"),
        ("x = 1\n", "log.py"),
        ("\0", "log.py"),
    ):
        assert list(from_code(cleaned(text, kind="code", url=f"https://x/{name}"))) == []
