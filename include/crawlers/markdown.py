"""Turn HTML into Markdown without changing a word: paragraphs, lists, quotes and tables as such, code byte for byte.

Links and images are left out, what they say stays: an address is not the author's prose. Nothing is
escaped, so that punctuation comes through as it was typed.
"""

import re
from collections.abc import Iterable, Sequence

from bs4.element import NavigableString, PageElement, Tag

_BLOCKS = frozenset(
    "address article aside blockquote body center dd details div dl dt fieldset figcaption figure footer form "
    "h1 h2 h3 h4 h5 h6 header hr html li main nav ol p pre section summary table tbody td tfoot th thead tr ul".split()
)
_SILENT = frozenset("script style noscript template img svg input button iframe".split())
_MARKS = {"em": "*", "i": "*", "strong": "**", "b": "**", "del": "~~", "s": "~~"}
_CODE = frozenset("code tt kbd samp".split())
_BLANKS = re.compile(r"[ \t\n\r\f]+")
_LANGUAGE = re.compile(r"(?:language|lang|highlight-source|brush)[-:]\s*([\w+#-]+)")
_NUMBERS = re.compile(r"^(?:line-?(?:no|nos|num|number|numbers)|gutter|lnt?)$")
_EMOJI_CHARACTERS = 4


def to_markdown(node: Tag) -> str:
    """Convert what a node holds."""
    return "\n\n".join(_blocks(node.children))


def class_names(node: Tag) -> list[str]:
    """List the classes of a node."""
    return [str(name) for name in node.get_attribute_list("class") if name]


def _blocks(nodes: Iterable[PageElement]) -> list[str]:
    """Convert siblings; what stands between two blocks is a paragraph of its own."""
    out: list[str] = []
    run: list[PageElement] = []
    for node in nodes:
        if isinstance(node, Tag) and (node.name in _BLOCKS or _holds_block(node)):
            out += [text for text in [_inline(run)] if text]
            out += _block(node)
            run = []
        else:
            run.append(node)
    return out + [text for text in [_inline(run)] if text]


def _holds_block(node: Tag) -> bool:
    """Tell whether there is a block inside; done by hand, because `find` is slow where tags are many."""
    return any(isinstance(inner, Tag) and inner.name in _BLOCKS for inner in node.descendants)


def _block(node: Tag) -> list[str]:
    match node.name:
        case "h1" | "h2" | "h3" | "h4" | "h5" | "h6":
            text = _inline(n for n in node.children if not _is_permalink(n)).replace("\n", " ")
            return [f"{'#' * int(node.name[1])} {text}"] if text else []
        case "pre":
            return _fence(node)
        case "ul" | "ol":
            return _list(node)
        case "blockquote":
            lines = "\n\n".join(_blocks(node.children)).split("\n")
            return ["\n".join(f"> {line}".rstrip() for line in lines)] if any(lines) else []
        case "table":
            return _table(node)
        case "hr":
            return ["---"]
        case _:
            return _blocks(node.children)


def _inline(nodes: Iterable[PageElement]) -> str:
    """Convert a run of text: blanks collapse as in a browser, line breaks stay."""
    text = "".join(_phrase(node) for node in nodes)
    text = re.sub(r" *\x00 *", "\n", re.sub(r"[ \t\n\r\f]+", " ", text))
    return text.strip(" \n").replace("\xad", "")


def _phrase(node: PageElement) -> str:
    """Convert one inline node; a zero byte stands for a line break until blanks have collapsed."""
    if not isinstance(node, Tag):
        return str(node).replace("\x00", "") if type(node) is NavigableString else ""
    if node.name == "img":
        alt = str(node.get("alt") or "")
        return alt if len(alt) <= _EMOJI_CHARACTERS and not alt.isascii() else ""
    if node.name in _SILENT:
        return ""
    if node.name == "br":
        return "\x00"
    if node.name in _CODE:
        return _code(_BLANKS.sub(" ", node.get_text()))
    inner = "".join(_phrase(child) for child in node.children)
    if node.name == "q":
        return f"“{inner}”"
    return _wrap(inner, _MARKS[node.name]) if node.name in _MARKS else inner


def _code(text: str) -> str:
    if not text.strip():
        return text
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def _wrap(inner: str, mark: str) -> str:
    """Put a mark around words, not around the blanks beside them."""
    words = inner.strip(" \t\n\r\f\x00")
    if not words or words.startswith(mark):
        return inner
    before, after = inner.split(words, 1)
    return f"{before}{mark}{words}{mark}{after}"


def _fence(node: Tag) -> list[str]:
    for number in node.find_all(class_=_NUMBERS):
        number.decompose()
    for button in node.find_all(["button", "script", "style"]):
        button.decompose()
    for br in node.find_all("br"):
        br.replace_with("\n")
    lines = [child for child in node.find_all("div") if not child.find("div")]
    text = "\n".join(x.get_text().removesuffix("\n") for x in lines) if lines else node.get_text()
    # The parser's rule: a line break right after <pre> is not part of it.
    text = text.removeprefix("\n").removesuffix("\n")
    fence = "~~~" if re.search("^```", text, re.MULTILINE) else "```"
    return [f"{fence}{_code_language(node)}\n{text}\n{fence}"] if text.strip() else []


def _code_language(node: Tag) -> str:
    """Read the language that highlighters leave in a class, on the block, inside or around it."""
    for tag in (node, node.find("code"), node.parent, node.parent and node.parent.parent):
        if isinstance(tag, Tag):
            said = tag.get("data-lang") or tag.get("data-language")
            named = _LANGUAGE.search(" ".join(class_names(tag)))
            if said or named:
                return str(said) if said else str(named and named.group(1))
    return ""


def _list(node: Tag) -> list[str]:
    """Convert a list; code inside an item stands at the margin, so that its bytes stay."""
    start = str(node.get("start") or "1")
    number = int(start) if start.isdigit() else 1
    items: list[list[str]] = []
    for child in node.children:
        if isinstance(child, Tag) and (
            blocks := _blocks([child] if child.name != "li" else child.children)
        ):
            mark = f"{number + len(items)}. " if node.name == "ol" else "- "
            items.append(_item(mark, blocks))
    if any(len(item) > 1 for item in items):
        return [block for item in items for block in item]
    return ["\n".join(block for item in items for block in item)] if items else []


def _item(mark: str, blocks: Sequence[str]) -> list[str]:
    out = [mark]
    for position, block in enumerate(blocks):
        if block.startswith(("```", "~~~")):
            out.append(block)
            continue
        shifted = block.replace("\n", "\n" + " " * len(mark))
        if position == 0:
            out[0] = mark + shifted
        elif re.match(r"(?:- |\d+\. )", block) and len(out) == 1:
            out[0] += "\n" + " " * len(mark) + shifted
        else:
            out.append(" " * len(mark) + shifted)
    return [block for block in out if block.strip(" -")]


def _table(node: Tag) -> list[str]:
    """Convert a table; one that only lays out code or blocks is taken apart."""
    if node.find(["pre", "table", "ul", "ol", "blockquote", "h1", "h2", "h3"]):
        return [
            b for cell in node.find_all(["td", "th"], recursive=True) for b in _cell(cell, node)
        ]
    rows = [
        [
            _inline(cell.children).replace("\n", " ").replace("|", "\\|")
            for cell in row.find_all(["td", "th"])
        ]
        for row in node.find_all("tr")
    ]
    rows = [row for row in rows if any(row)]
    if not rows:
        return []
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return ["\n".join([lines[0], f"|{' --- |' * len(rows[0])}", *lines[1:]])]


def _cell(cell: Tag, table: Tag) -> list[str]:
    """Convert a cell of a layout table, unless an inner table will, or it only numbers lines."""
    if cell.find_parent("table") is not table or any(map(_NUMBERS.match, class_names(cell))):
        return []
    return _blocks(cell.children)


def _is_permalink(node: PageElement) -> bool:
    return (
        isinstance(node, Tag)
        and node.name == "a"
        and node.get_text().strip() in ("", "#", "¶", "§", "🔗")
    )
