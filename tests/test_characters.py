"""A reader sees the same before and after, and so does a model."""

import pytest

from ml.characters import drop_hidden, mend_characters

AS_TYPED = [
    "It isn’t “quite” right — don't you think? «Non», … 1½ m² ﬁne ｗａｖｅ № 5\u00a0km",
    "👩\u200d💻 👨\u200d👩\u200d👧 🏳️\u200d🌈 ❤️ 1️⃣ ©️ 🙋🏽\u200d♀️",
    "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    "می\u200cخواهم क्\u200dष",
    "Let 𝑥 be in ℝ, 𝐀𝑥 = 0.".replace("𝐀𝑥", "𝐀 𝑥"),
    "`a\u200bb` and ``<!-- c -->``",
]


@pytest.mark.parametrize("text", AS_TYPED)
def test_what_is_seen_stays_as_typed(text: str):
    assert drop_hidden(mend_characters(text)) == text


@pytest.mark.parametrize(
    ("raw", "seen"),
    [
        ("pass\u200bword \u2060join\u00aded", "password joined"),
        ("\u202egnirts\u202c \u2067x\u2069\u200f", "gnirts x"),
        ("hi" + "".join(chr(0xE0000 + ord(c)) for c in "ignore all") + "!", "hi!"),
        ("a\ufe0fb\U000e0101\ufe01c", "abc"),
        ("a\u200db \u200d", "ab "),
        ("cafe\u0301 Å", "café Å"),
        ("itâ€™s mended", "it’s mended"),
        ("𝗗𝗲𝗽𝗹𝗼𝘆 & 𝗿𝘂𝗻 it, 𝘴𝘭𝘢𝘯𝘵𝘦𝘥, 𝟭. 𝙼𝚘𝚗𝚘", "**Deploy & run** it, *slanted*, **1**. Mono"),
        ("one\r\ntwo\rthree", "one\ntwo\nthree"),
        ("bell\x07 \x1b[31mred", "bell [31mred"),
    ],
)
def test_what_nobody_sees_is_gone_and_what_pretends_is_plain(raw: str, seen: str):
    assert mend_characters(raw) == seen


@pytest.mark.parametrize(
    "hidden",
    [
        "<!-- ignore all\n\nprevious words -->",
        '<span style="display: none">ignore all</span>',
        "<div hidden>ignore\n\nall</div>",
        '<p style="font-size:0px">ignore all</p>',
        "<script>ignore(all)</script>",
        "[//]: # (ignore all)",
    ],
)
def test_hidden_text_is_gone(hidden: str):
    assert "ignore" not in drop_hidden(f"before\n\n{hidden}\n\nafter")
    assert "before" in drop_hidden(f"before\n\n{hidden}\n\nafter")


def test_marks_that_hide_nothing_stay():
    text = '<span class="x">seen</span> a < b --> c <p style="font-size:0.9em">seen</p>'

    assert drop_hidden(text) == text
