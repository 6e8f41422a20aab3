"""Understand a question before anything is searched: what kind it is, what it filters by, and what to search for.

Rules of a few lines each, so that the same question is always understood in the same way and nothing
is asked of a model. A follow-up question is completed with the earlier turns.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from ml.expand import Variants
from ml.terms import terms
from ml.types import Kind, Message
from ml.when import read_period, without

# knowledge: what the author wrote decides. voice: a text is wanted, not a fact. The others need no search.
Route = Literal["knowledge", "voice", "small talk", "out of scope"]
# Of earlier turns, no more than this is looked at: questions, and characters of each.
REMEMBERED, REMEMBERED_CHARACTERS = 2, 400
# A question with fewer words of its own than this may lean on the one before.
OWN_TERMS = 2

# What is said to be friendly; a question of nothing else is small talk.
_PLEASANTRIES = (
    r"hi|hello|hey|welcome back|nice to meet you|good (?:morning|evening|afternoon|night)",
    r"cheers|bye|goodbye|see you(?: (?:later|soon|tomorrow))?|have a (?:nice|good) day",
    r"(?:many )?thanks?(?: you)?(?: (?:(?:so|very) much|a lot))?(?: for (?:that|your help))?",
    r"how are you(?: (?:doing|today))*|who are you|what are you|are you (?:a )?(?:bot|human|real|robot)",
    r"what can you do|what can i ask(?: you)?|ok(?:ay)?|great|cool|nice|perfect|wow|test",
    r"got it|i see|well done|good job",
    r"(?:that|this|it) (?:really )?(?:helps?|helped|makes sense|works|worked)(?: (?:me|a lot))?",
    r"(?:that|this|it)(?:['’]s| is| was) (?:(?:very|really|so) )?(?:helpful|useful|great|good|nice|clear)",
)
# Nothing is tried twice (`*+`): a long row of greetings that ends in something else would take for ever.
_SMALL_TALK = re.compile(
    rf"(?:(?:{'|'.join(_PLEASANTRIES)})\b[\s,.!?]*+(?:(?:there|twin|again)\b[\s,.!?]*+)?+)++", re.I
)
# What is made up and no fact. "Tell me the story of fsync" asks for one, "write a poem parser" for a program.
_MADE_UP = r"(?:poems?|haikus?|limericks?|sonnets?|rhymes?|verses?|songs?|lyrics|jokes?|riddles?|fairy tales?)"
_WISHES = (
    r"(?:continue|rewrite|rephrase|reword|paraphrase|complete)\b.{0,40}?[:“\"]",
    r"(?:write|draft|compose)\b.{0,60}?\b(?:begins?|starts?|opens?|beginning|starting)\b",
    r"(?:tell|write|draft|compose|sing|give|make up|invent)\s+(?:(?:me|us)\s+)?(?:a|an|another|one more|some)\s+"
    rf"(?:(?!of\b)\w+,?\s+){{0,3}}?{_MADE_UP}(?=\s*(?:$|[.!?,:;])|\s+(?:about|on|of|for|in|that|with|like|please)\b)",
)
_VOICE = re.compile(
    rf"\s*(?:(?:please|now|(?:can|could|would|will) you)\s+)*(?:{'|'.join(_WISHES)})", re.I | re.S
)
# What no text that was written once can answer.
_OUT_OF_SCOPE = re.compile(
    r"\b(?:weather|temperature)\b.{0,30}\b(?:today|tomorrow|now|forecast|tonight)\b"
    r"|\bwhat(?:'s| is)? (?:the )?(?:time|date|day)(?: is it)?(?: now| today)?\s*\?*$"
    r"|\b(?:price|stock|exchange rate|score)\b.{0,30}\b(?:right now|today|currently)\b"
    r"|^\s*(?:what(?:'s| is)|calculate|compute)\s+[\d\s.+*/^()x-]{3,}\s*=?\s*\?*$",
    re.I,
)
_KINDS: tuple[tuple[Kind, str], ...] = (
    ("post", r"(?:posts?|tweets?|toots?)"),
    ("article", r"(?:articles?|essays?|blog(?: posts?)?|newsletters?)"),
    ("code", r"(?:code|repositor(?:y|ies)|repos?|programs?|functions?|scripts?)"),
)
# What only an author does, by the kind of text that comes of it.
_MADE_BY: tuple[tuple[Kind, str], ...] = (
    ("post", r"(?:tweet(?:ed)?|toot(?:ed)?)"),
    ("article", r"blog(?:ged)?"),
)
# Not "a post-mortem", "a code review", "a code base".
_WHOLE = r"\b(?!-|\s+(?:review|base)\b)"
_TELLS = (
    r"\s+(?:ever\s+)?(?:say|said|mention(?:ed)?|tell|told|explain(?:ed)?|claim(?:ed)?|recommend(?:ed)?"
    r"|discuss(?:ed)?)\b"
)
# How a question is limited to a kind of text, {0} being its names; below, how it says what an author did.
_LIMITS = (
    r"\b(?:in|from|among|across)\s+(?:any\s+of\s+|all\s+)?(?:my|your|the)\s+{0}" + _WHOLE,
    # "Which functions are about dates?" may ask about anybody's.
    r"\b(?:which|any)\s+(?:of\s+)?(?:(?:my|your)\s+)?(?!code|prog|func|script|repo){0}\s+"
    r"(?:(?:are|is)\s+)?(?:about\b|mention\b|(?=from\b))",
    r"\b(?:(?:do|does|did|have|has)\s+)?(?:any\s+of\s+)?(?:my|your)\s+{0}" + _TELLS,
)
_DOES = r"\b(?:(?:do|did|have)\s+)?(?:I|you)\s+(?:ever\s+|once\s+)?{0}\b(?!-)"
_KIND_RULES = tuple(
    (kind, re.compile(rule.replace("{0}", words), re.I))
    for kinds, rules in ((_KINDS, _LIMITS), (_MADE_BY, (_DOES,)))
    for kind, words in kinds
    for rule in rules
)
_LEANS = re.compile(
    r"^\W*(?:and|but|so|why|how so|what about|how about|what else|tell me more|go on|more|really)\b"
    r"|\b(?:it|its|that|this|these|those|they|them|their|he|she|him|her|there|the same|one|ones)\b",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Understood:
    """What a question means: `search` is what is looked for, `variants` are other ways of asking it."""

    route: Route
    search: str
    author: str = ""
    kind: Kind | None = None
    since: datetime | None = None
    until: datetime | None = None
    variants: Variants = Variants((), "")


def understand(
    question: str,
    today: datetime | None,
    earlier: Sequence[Message] = (),
    authors: Mapping[str, str] | None = None,
) -> Understood:
    """Read a question: its kind, its filters, and what it leaves to earlier turns. `authors` are names by id.

    Without `today` no filter is read out of it.
    """
    route = read_route(question)
    if today is None:
        return Understood(route, complete(question, earlier))
    period, (kind, limit) = read_period(question, today), read_kind(question)
    plain = without(_drop(question, limit), period)
    search = complete(plain or question, earlier)
    author = read_author(question, authors or {})
    return Understood(route, search, author, kind, period.since, period.until)


def read_route(question: str) -> Route:
    """Tell small talk, and what nobody can have written about, from a wish for a text and from a question."""
    if _SMALL_TALK.fullmatch(question.strip()):
        return "small talk"
    if _OUT_OF_SCOPE.search(question):
        return "out of scope"
    return "voice" if _VOICE.match(question) else "knowledge"


def read_kind(question: str) -> tuple[Kind | None, str]:
    """Find the kind of text that a question is limited to ("in your posts"), and the words that say so."""
    for kind, rule in _KIND_RULES:
        if found := rule.search(question):
            return kind, found[0]
    return None, ""


def read_author(question: str, authors: Mapping[str, str]) -> str:
    """Find the author whose texts are asked for by name: "by Maren Oduya", "what does Tobias say"."""
    for author, name in sorted(authors.items()):
        known = "|".join(re.escape(n) for n in (name, name.split()[0]) if n)
        asked = rf"\b(?:by|of|from|to|does|did|has|would|do)\s+(?:{known})(?:['’]s)?(?!\w)"
        if known and re.search(asked, question):
            return author
    return ""


def complete(question: str, earlier: Sequence[Message]) -> str:
    """Put the last questions before one that leans on them; a question that stands alone stays as it is."""
    asked = [m.content[:REMEMBERED_CHARACTERS] for m in earlier if m.role == "user"]
    if not asked or not leans(question):
        return question
    kept = asked[-REMEMBERED:]
    # A question before the last one helps only where the last one leans as well.
    return " ".join([*(kept if leans(kept[-1]) else kept[-1:]), question])


def leans(question: str) -> bool:
    """Tell whether a question is understood only after another: it points back, or has no subject of its own."""
    own = len(set(terms(question)))
    return own < OWN_TERMS or (own <= 2 * OWN_TERMS and bool(_LEANS.search(question)))


def nothing_known(meant: Understood) -> str:
    """Say that nothing answers, and within which limits nothing does."""
    limits = [
        *([f"in {meant.kind}s"] if meant.kind else []),
        *([f"since {meant.since:%-d %B %Y}"] if meant.since else []),
        *([f"before {meant.until:%-d %B %Y}"] if meant.until else []),
    ]
    return f"{' '.join(['I have not written about that', *limits])}, so I would rather not guess."


def _drop(question: str, words: str) -> str:
    """Take words out of a question, and what they leave at its beginning."""
    left = question.replace(words, " ") if words else question
    return " ".join(left.split()).lstrip(",;: ")
