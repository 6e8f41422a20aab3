"""Find an article's body in the markup of its page, and cut out what is not the author's text.

trafilatura finds where the article is; what is taken is the page's own markup, because trafilatura's text loses
blank lines of code and the code's language. What surrounds an article (navigation, newsletter boxes,
readers' comments, hidden text) is cut out of the markup first.
"""

import re
from collections.abc import Sequence

from bs4 import BeautifulSoup
from bs4.element import CData, NavigableString, PageElement, Tag

from include.crawlers.markdown import class_names, to_markdown

_JUNK_TAGS = (
    "script style noscript template iframe object embed nav aside dialog button input select textarea svg canvas "
    "video audio header footer form"
).split()
_JUNK = frozenset(
    (
        "comment comments commentlist disqus respond replies newsletter subscribe subscription signup related "
        "recommended recommendations share sharing social cookie cookies gdpr sidebar breadcrumb breadcrumbs "
        "pagination pager toc popup modal promo sponsor sponsored advert ads advertisement byline dateline "
        "webmention webmentions likes banner relatedposts ad paywall upvote"
    ).split()
)
_JUNK_PHRASES = frozenset(
    (
        "post-meta entry-meta post-tags author-bio author-box sr-only visually-hidden screen-reader-text skip-link "
        "button-wrapper postmetadata tags"
    ).split()
)
_JUNK_IDS = frozenset(
    "comments disqus_thread respond newsletter related sidebar cookie-banner".split()
)
_COMMENTS = frozenset(("comment", "comments", "commentlist", "disqus_thread", "replies"))
_NOTES = frozenset("note notes tip warning callout admonition footnote footnotes endnotes".split())
_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?:px|em|%)?\s*(?:;|$)"
    r"|(?:left|right|top|text-indent)\s*:\s*-\d{3,}(?:px|em|rem|%)?|clip\s*:\s*rect\(\s*0|clip-path\s*:\s*inset\(\s*(?:50|100)%"
)
# Pages that fade in or fold out begin like this as well: it hides a box, not a whole article.
_FAINT = re.compile(
    r"(?<![-\w])opacity\s*:\s*0(?:\.0*)?\s*(?:;|$)|(?<![-\w])(?:max-)?height\s*:\s*0(?:px)?\s*(?:;|$)"
)
_COLOUR = re.compile(r"(?<![-\w])(color|background(?:-color)?)\s*:\s*([^;]+)")
# A container that holds more of the page than this is not a box beside the article, whatever its class says.
_BOX_SHARE = 0.5
# The article is the smallest node that holds this share of what trafilatura found.
_BODY_SHARE = 0.75

_SENTENCES = re.compile(r"\||(?<=[.!?]) ")
# So many of the longest lines are enough to find the article.
_LINES, _OCCURRENCES = 100, 4


def prune(soup: BeautifulSoup) -> tuple[str, ...]:
    """Cut out what is not the article: by element, by class, and whatever a reader does not see.

    Returns what readers wrote under it, as Markdown: context, not the author's words.
    """
    _, extents = _extents(soup)
    start, end = extents[id(soup)]
    small = _BOX_SHARE * max(end - start, 1)
    comments, gone = list[str](), set[int]()
    for node in [tag for tag in soup.find_all(True) if _may_go(tag)]:
        start, end = extents[id(node)]
        hidden = _is_hidden(node)
        if hidden or (end - start < small and (_is_junk(node) or _is_faint(node))):
            if not hidden and _COMMENTS & _names(node) and gone.isdisjoint(map(id, node.parents)):
                comments.append(to_markdown(node))
            gone.add(id(node))
            node.extract()
    return tuple(filter(None, comments))


def _names(node: Tag) -> set[str]:
    """List the words of a node's classes, and its id."""
    classes = {w for name in class_names(node) for w in re.split(r"[-_\s]+", name.lower())}
    return classes | {str(node.get("id") or "").lower()}


def _may_go(node: Tag) -> bool:
    if node.name in ("script", "style"):
        return True
    whole = node.name in ("html", "head", "body", "main", "code", "pre", "time")
    return not whole and not any(parent.name in ("pre", "code") for parent in node.parents)


def _is_hidden(node: Tag) -> bool:
    style = str(node.get("style") or "").lower()
    return (
        node.has_attr("hidden") or node.get("aria-hidden") == "true" or bool(_HIDDEN.search(style))
    )


def _is_faint(node: Tag) -> bool:
    """Tell whether a node is transparent, folded up, or written in the colour that it is written on."""
    style = str(node.get("style") or "").lower()
    grounds = {m[1] == "color": _plain(m[2]) for m in _COLOUR.finditer(style)}
    return bool(_FAINT.search(style)) or (len(grounds) == 2 and len(set(grounds.values())) == 1)


def _plain(colour: str) -> str:
    """Write a colour in one form, as far as its short and long hexadecimal forms go."""
    colour = {"white": "#fff", "black": "#000"}.get(colour.strip(), colour.strip())
    return (
        "#" + "".join(c * 2 for c in colour[1:]) if re.fullmatch("#[0-9a-f]{3}", colour) else colour
    )


def _is_junk(node: Tag) -> bool:
    """Tell by its name, class, id or role that a node is not the author's text."""
    classes = {name.lower() for name in class_names(node)}
    words = {w for name in classes for w in re.split(r"[-_\s]+", name)}
    if words & _NOTES:
        return False
    if node.name in _JUNK_TAGS:
        return node.name != "header" or not _has_prose(node)
    if re.fullmatch("h[1-6]", node.name):
        return False
    role = node.get("role")
    named = str(node.get("id") or "").lower() in _JUNK_IDS or bool(classes & _JUNK_PHRASES)
    named = named or any(name.endswith(("-post-meta", "-entry-meta")) for name in classes)
    return (
        named or bool(words & _JUNK) or role in ("navigation", "dialog", "complementary", "banner")
    )


def _has_prose(node: Tag) -> bool:
    return any(len(p.get_text().split()) > 25 for p in node.find_all("p"))


def is_junk_inside(node: Tag) -> bool:
    """Tell whether a node stands among comments or related articles."""
    return any(isinstance(parent, Tag) and _is_junk(parent) for parent in list(node.parents)[:6])


def locate(soup: BeautifulSoup, html: str) -> Tag | None:
    """Find the smallest node that holds what trafilatura takes for the article."""
    from trafilatura import extract

    found = extract(html, include_comments=False, include_formatting=False) or ""
    # A page laid out as a table comes as rows; its sentences are still found in the page.
    parts = (part.strip("- ") for line in found.splitlines() for part in _SENTENCES.split(line))
    lines = {squeeze(part) for part in parts if len(part) > 20}
    node = soup.body
    start = soup.find(["article", "main"])
    if not lines or node is None:
        return start if isinstance(start, Tag) else node
    text, extents = _extents(node)
    longest = sorted(lines, key=lambda line: (-len(line), line))[:_LINES]
    places = [(len(line), _occurrences(text, line)) for line in longest]
    weights = {i: _weight(places, *extent) for i, extent in extents.items()}
    needed = _BODY_SHARE * weights[id(node)]
    while True:
        children = [c for c in node.find_all(True, recursive=False) if weights[id(c)] >= needed]
        # A teaser may say as much in fewer words.
        child = max(children, key=lambda c: _length(extents[id(c)]), default=None)
        if child is None or child.name in ("pre", "p", "ul", "ol", "blockquote"):
            return node
        if child.name == "table" and not _has_prose(child):
            return node
        node = child


def _extents(top: Tag) -> tuple[str, dict[int, tuple[int, int]]]:
    """Return a node's text without blanks, and for each tag in it, by `id`, from where to where it goes there.

    One walk for all of them: asking each tag for its text would take the square of a page's size.
    """
    parts, length = list[str](), 0
    extents: dict[int, tuple[int, int]] = {}
    waiting: list[tuple[PageElement, int]] = [(top, -1)]
    while waiting:
        node, began = waiting.pop()
        if not isinstance(node, Tag):
            if type(node) in (NavigableString, CData):
                parts.append(squeeze(str(node)))
                length += len(parts[-1])
        elif began < 0:
            waiting.append((node, length))
            waiting += [(child, -1) for child in reversed(node.contents)]
        else:
            extents[id(node)] = (began, length)
    return "".join(parts), extents


def _length(extent: tuple[int, int]) -> int:
    return extent[1] - extent[0]


def _occurrences(text: str, line: str) -> list[int]:
    """Return where a line begins; it may stand in a teaser too, before it stands in the article."""
    found, place = list[int](), text.find(line)
    while place >= 0 and len(found) < _OCCURRENCES:
        found.append(place)
        place = text.find(line, place + 1)
    return found


def _weight(places: Sequence[tuple[int, list[int]]], start: int, end: int) -> int:
    return sum(
        size for size, found in places if any(start <= at and at + size <= end for at in found)
    )


def squeeze(text: str) -> str:
    """Take the blanks out of a text."""
    return re.sub(r"\s+", "", text)
