"""Leave of a prose what its reader sees, in characters that a model knows, without changing the voice.

Mojibake is repaired, accents are composed (NFC); letters that only pretend to be bold become bold.
Curly quotes, dashes, ellipses, ligatures, full-width letters and no-break spaces stay as typed: NFKC
would flatten them. What nobody sees goes: zero-width and bidirectional controls, tag characters, HTML
comments, hidden elements. Joiners stay inside emoji and in the scripts that need them.
"""

import re
import unicodedata
from collections.abc import Callable

_ZWNJ, _ZWJ, _BLACK_FLAG = "\u200c", "\u200d", "\U0001f3f4"
# What nobody sees, in pictures and scripts that need it as well; line breaks and tabs are not among it.
INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)
_KNOWN_VARIATIONS = "\ufe0e\ufe0f"
_COMMENT = re.compile(
    r"<!--.*?(?:-->|\Z)|^\[//\]: #[^\n]*$|<(script|style)\b.*?(?:</\1\s*>|\Z)", re.S | re.M | re.I
)
_UNSEEN = (
    r"\bhidden\b|aria-hidden=[\"']?true|display\s*:\s*none|visibility\s*:\s*hidden|"
    r"font-size\s*:\s*0(?![.\d])|opacity\s*:\s*0(?![.\d])"
)
_HIDDEN = re.compile(
    rf"<(?P<tag>span|div|p|font|b|i|em|strong|small|section)\b(?=[^>]*(?:{_UNSEEN}))[^>]*>.*?</(?P=tag)\s*>",
    re.S | re.I,
)
_INLINE_CODE = re.compile(r"(?<!`)(`+)(?!`)(?:[^\n]|\n(?!\s*\n))*?(?<!`)\1(?!`)")
_FAUX = "\U0001d400-\U0001d7ff"
_FAUX_LETTERS = frozenset(map(chr, range(0x1D400, 0x1D800)))
_FAUX_WORDS = re.compile(
    rf"[{_FAUX}][{_FAUX}\d]+(?:[ '’‘,;:/&.-]+[{_FAUX}][{_FAUX}\d]*)*|[\U0001d7ce-\U0001d7ff]"
)


def mend_characters(prose: str) -> str:
    """Repair and unmask characters; plain ASCII costs next to nothing. Inline code stays as typed."""
    return _outside_inline_code(prose, _mend)


def drop_hidden(prose: str) -> str:
    """Take out what a browser would not show; inline code that speaks of it stays."""
    if "<" not in prose and "[//]" not in prose:
        return prose
    return _outside_inline_code(prose, lambda text: _HIDDEN.sub("", _COMMENT.sub("", text)))


def _mend(text: str) -> str:
    text = re.sub("\r\n?|\u2028", "\n", text.replace("\u2029", "\n\n"))
    if not text.isascii():
        text = "".join(
            line if line.isascii() else _mend_line(line) for line in text.splitlines(keepends=True)
        )
    return INVISIBLE.sub(_keep_joiner, text)


def _mend_line(line: str) -> str:
    from ftfy import TextFixerConfig, fix_text

    # Everything that would change how the author types is off.
    config = TextFixerConfig(
        unescape_html=False,
        uncurl_quotes=False,
        fix_latin_ligatures=False,
        fix_character_width=False,
        fix_line_breaks=False,
        remove_control_chars=False,
        normalization=None,
        explain=False,
    )
    return unicodedata.normalize("NFC", _FAUX_WORDS.sub(_unmask, fix_text(line, config)))


def _outside_inline_code(text: str, change: Callable[[str], str]) -> str:
    if "`" not in text:
        return change(text)
    out, last = list[str](), 0
    for code in _INLINE_CODE.finditer(text):
        out += [change(text[last : code.start()]), code.group()]
        last = code.end()
    return "".join([*out, change(text[last:])])


def _unmask(match: re.Match[str]) -> str:
    """Write words in mathematical letters as Markdown emphasis; a single letter is mathematics and stays."""
    out, between, mark = "", "", ""
    for part in re.findall(rf"[{_FAUX}\d]+|[^{_FAUX}\d]+", match.group()):
        if part[0] not in _FAUX_LETTERS and not part[0].isdigit():
            between = part
            continue
        style = _style(part)
        out += between if style == mark else mark + between + style
        out, between, mark = out + unicodedata.normalize("NFKC", part), "", style
    return out + mark + between


def _style(word: str) -> str:
    """Say how Markdown marks such letters."""
    name = unicodedata.name(word[0], "")
    return "**" if "BOLD" in name else "*" if "ITALIC" in name else ""


def _keep_joiner(match: re.Match[str]) -> str:
    """Keep an unseen character where it makes part of what is seen."""
    text, at, char = match.string, match.start(), match.group()
    before, after = text[at - 1 : at] if at else "", text[at + 1 : at + 2]
    if char in _KNOWN_VARIATIONS:
        seen = before and (
            unicodedata.category(before) == "So" or before in "#*©®‼⁉ℹ↔↩↪" or before.isdigit()
        )
        return char if seen or (before and unicodedata.category(before)[0] == "S") else ""
    if char == _ZWJ and _is_emoji(before) and unicodedata.category(after or " ") == "So":
        return char
    if char in (_ZWJ, _ZWNJ):
        return char if _needs_joiners(before) and _needs_joiners(after) else ""
    if "\U000e0020" <= char <= "\U000e007f" and _follows_flag(text, at):
        return char
    return ""


def _is_emoji(char: str) -> bool:
    return char != "" and (unicodedata.category(char) in ("So", "Sk") or char in _KNOWN_VARIATIONS)


def _needs_joiners(char: str) -> bool:
    """Tell whether a character is of a script whose words may hold joiners: Arabic, Persian, the Indic ones."""
    return char != "" and not char.isascii() and unicodedata.category(char) in ("Lo", "Mn", "Mc")


def _follows_flag(text: str, at: int) -> bool:
    """Tell whether tag characters spell the flag of a region: a black flag, and at most six of them."""
    start = max(0, at - 6)
    return _BLACK_FLAG in text[start:at] and all(
        "\U000e0020" <= c <= "\U000e007f" for c in text[start:at].rpartition(_BLACK_FLAG)[2]
    )
