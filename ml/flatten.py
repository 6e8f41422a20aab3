"""Iron the voice out of a text: bland words, no asides, no semicolons, and as long or as short as wanted.

What is left says the same as anybody would say it. It is what a preference pair rejects, and what a
sample asks to be said again in the author's voice.
"""

import re

# A flat text may be this much shorter or longer than the text that it is made of.
LENGTH_BAND = 0.15
# Words that must come or go before a flat text differs from a voice.
FEWEST_CHANGES = 2
# How somebody without a voice begins a sentence, and what he puts into one: (in front, a word more).
OPENINGS = (
    "Overall, ", "In general, ", "Additionally, ", "It should be noted that ", "Furthermore, ",
    "In this context, ", "Moreover, ",
)  # fmt: skip
# Words that say the same with less of somebody in them; (longer, shorter) where there is a choice.
_BLAND = {
    "use": ("utilize", "use"), "used": ("utilized", "used"), "help": ("facilitate", "aid"),
    "show": ("demonstrate", "show"), "shows": ("demonstrates", "shows"), "because": ("since", "as"),
    "start": ("commence", "start"), "many": ("numerous", "many"), "but": ("however", "but"),
    "need": ("require", "need"), "wrong": ("incorrect", "off"),
    "fix": ("remediate", "fix"), "big": ("significant", "big"), "small": ("minimal", "low"),
    "good": ("excellent", "fine"), "bad": ("problematic", "poor"), "boring": ("straightforward", "plain"),
    "nobody": ("no individual", "none"), "somebody": ("an individual", "one"),
    "everybody": ("all stakeholders", "all"), "anybody": ("any individual", "any"),
    "invariably": ("consistently", "always"), "although": ("although", "though"),
    "whatever": ("regardless of what", "any"), "weird": ("unexpected", "odd"),
    "maybe": ("potentially", "maybe"), "which": ("which", "that"), "until": ("until", "till"),
    "perfectly": ("entirely", "well"), "enormous": ("substantial", "big"), "odd": ("unexpected", "odd"),
    "don't": ("do not", "do not"), "didn't": ("did not", "did not"), "can't": ("cannot", "cannot"),
    "isn't": ("is not", "is not"), "it's": ("it is", "it is"), "we'd": ("we would", "we would"),
    "i'd": ("I would", "I would"), "i'm": ("I am", "I am"), "doesn't": ("does not", "does not"),
}  # fmt: skip
_WORD = re.compile(r"([^\W\d_]+(?:['’][^\W\d_]+)?)")
_HEDGES = re.compile(
    r"\b(?:very|rather|quite|just|really|perhaps|simply|even|indeed|of course|in fact|after all|entirely"
    r"|precisely|exactly|already|altogether|certainly|obviously|particularly|merely|own),? ",
    re.IGNORECASE,
)
_MARKS = str.maketrans("", "", '.,;:!?()[]"“”—–*_`')
_ASIDE = re.compile(r"\s*\([^()]*\)")
_JOINT = re.compile(r"\s*[;—–]\s*")
_BEGINS_SMALL = re.compile(r"(?<=[.!?] )[a-z]")
_SENTENCE = re.compile(r"(?:^|(?<=[.!?] ))(?=[A-Z])")


def flatten(text: str) -> str:
    """Iron the voice out of a text. Empty when too little changes, or the length changes too much."""
    return _worth(_iron(text, 2 * len(text)), text)


def flatten_to(text: str, *, longer: bool) -> str:
    """Flatten a text so that it comes out longer, or shorter, than it was; empty where that cannot be."""
    flat = _iron(text, len(text) + 1 if longer else len(text) - 1)
    flat = _lengthened(flat, len(text)) if longer else _shortened(flat, len(text))
    fits = len(flat) > len(text) if longer else len(flat) < len(text)
    return _worth(flat, text) if fits else ""


def plain_words(text: str) -> list[str]:
    """Split a text into what stands between blanks, without marks: quicker than words, to compare two texts."""
    return text.translate(_MARKS).split()


def _worth(flat: str, text: str) -> str:
    """Return a flat text that differs enough in words from its original, and not much in length."""
    if not is_as_long(flat, text):
        return ""
    changed = set(plain_words(flat)) ^ set(plain_words(text))
    return flat if len(changed) >= FEWEST_CHANGES else ""


def is_as_long(flat: str, text: str) -> bool:
    """Tell whether two texts are of about one length."""
    return abs(len(flat) / max(len(text), 1) - 1) <= LENGTH_BAND


def _iron(text: str, wanted: int) -> str:
    """Take a voice out of a text: by long bland words until it has the wanted length, by short ones from there on."""
    # Every other part is a word: of some, there is a long form and a short one.
    bare = _ASIDE.sub("", text) if "(" in text else text
    parts = _WORD.split(_JOINT.sub(". ", bare).replace("!", "."))
    words = map(str.lower, parts[1::2])
    plain = [(2 * n + 1, *_BLAND[w]) for n, w in enumerate(words) if w in _BLAND]
    length = sum(map(len, parts)) + sum(len(short) - len(parts[i]) for i, _, short in plain)
    for place, long, short in plain:
        grown = length + len(long) - len(short)
        # One word more than enough makes a text the longer one, and one word less keeps it the shorter one.
        chosen = long if length < wanted and (grown <= wanted or wanted > len(text)) else short
        length += len(chosen) - len(short)
        capital = parts[place][0].isupper()
        parts[place] = chosen[:1].upper() + chosen[1:] if capital else chosen
    return _BEGINS_SMALL.sub(lambda m: m.group().upper(), "".join(parts))


def _lengthened(flat: str, wanted: int) -> str:
    """Open sentences with empty phrases until a text is longer than wanted."""
    for opening in OPENINGS:
        if len(flat) > wanted:
            break
        places = [m.start() for m in _SENTENCE.finditer(flat)]
        free = [p for p in places if not flat.startswith(OPENINGS, p)]
        if not free:
            break
        place = free[len(opening) % len(free)]
        first = flat[place] if flat[place : place + 2] == "I " else flat[place].lower()
        flat = flat[:place] + opening + first + flat[place + 1 :]
    return flat


def _shortened(flat: str, wanted: int) -> str:
    """Drop hedges, the last ones first, until a text is shorter than wanted."""
    if len(flat) < wanted:
        return flat
    for hedge in reversed(list(_HEDGES.finditer(flat))):
        if len(flat) < wanted:
            break
        flat = flat[: hedge.start()] + flat[hedge.end() :]
    return flat
