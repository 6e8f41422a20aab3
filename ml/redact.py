"""Take secrets and personal data out of a text, leaving typed placeholders.

A placeholder is stable within one document: the same value is always `[EMAIL_1]`. Numbers are checked before they
count (Luhn and issuer for cards, ISO 7064 and country for IBANs, numbering plans for telephones, global
addresses only), so that measurements survive. Not here: names of people, which need a model to find;
so the author's own name stays.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address

from ml.credentials import Span, find_secrets

Finder = Callable[[str], Iterator[Span]]

_AT = re.compile(r"@(?:[\w-]+\.)+[^\W\d_]{2,24}\b")
_LOCAL = re.compile(r"[\w.+-]*[\w+-]\Z")
_SPELLED = re.compile(
    r"\b[\w.+-]{2,40} ?[\[({] ?at ?[\])}] ?[\w-]+(?: ?[\[({] ?dot ?[\])}] ?[\w-]+)+", re.IGNORECASE
)
# `name@2x.png` and `unit@1.service` are files; `git@host` is the login of a machine.
_NO_DOMAIN = frozenset(
    "png jpg jpeg gif svg webp ico css js ts json service socket timer target mount".split()
)
_NO_MAILBOX = frozenset(("git", "hg", "svn"))
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b")
_IBAN_LENGTHS = {
    length: countries.split()
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FI FO GL NL",
        19: "MK SI",
        20: "AT BA EE KZ LT LU XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "PT",
        26: "IS TR",
        27: "FR GR IT MC MR SM",
        28: "AL AZ CY DO GT HU LB LC PL",
        29: "BR EG PS QA UA",
        30: "JO KW MU",
        31: "MT SC",
    }.items()
}
_CARD = re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w.]?\d)")
_CARD_GROUPS = re.compile(r"\d{4}([ -])(?:\d{4}\1\d{4}\1\d{1,4}(?:\1\d{3})?|\d{6}\1\d{4,5})")
_ISSUERS = re.compile(
    r"4|5[1-5]|2(?:2[2-9]|[3-6]|7[01]|720)|3[47]|3(?:0[0-5]|[68])|6(?:011|4[4-9]|5)|35(?:2[89]|[3-8])"
)
_SSN = re.compile(r"(?<![\w.-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])")
_ABROAD = re.compile(r"(?<![\w.+/=-])\+\d{1,3}[ .(/-]{0,2}\d(?:[ ()./-]{0,3}\d){6,13}(?![\w])")
_AMERICAN = re.compile(r"(?<![\w.+/=(-])(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[-.])\d{3}[-.]\d{4}(?![\w-])")
_ANNOUNCED = re.compile(
    r"(?:\b(?:tele)?phone|\btel|\bmobile|\bcell|\bfax|\bwhatsapp|\bsms|\bcall(?: \w+)?(?: at| on)?|☎|📞)"
    r"(?: ?(?:number|no|is))?\W{0,4}(\(?0?\d(?:[ ()./-]{0,3}\d){6,13})(?!\w)",
    re.IGNORECASE,
)
_REGIONS = "US GB DE FR ES IT NL CH AT BE IE PT SE NO DK PL IN AU CA BR".split()
_IPV4 = re.compile(r"(?<![\w.-])(?<!==)(?:\d{1,3}\.){3}\d{1,3}(?![\w-]|\.\d)")
_IPV6 = re.compile(
    r"(?<![\w:.])[23][0-9a-fA-F]{3}:(?:[0-9a-fA-F]{0,4}:){2,6}[0-9a-fA-F]{1,4}(?![\w:])"
)
# Everybody's resolvers, and what speaks of versions, name nobody.
_PUBLIC_ADDRESSES = frozenset("8.8.8.8 8.8.4.4 1.1.1.1 1.0.0.1 9.9.9.9".split())
_VERSION = re.compile(
    r"(?:version|release|build|\bv|rev|section|rfc|chapter|oid)\W{0,2}\Z|(?:[~^<>=]=|[~^])[\"' ]?\Z",
    re.IGNORECASE,
)


def redact(text: str, allowed: frozenset[str] = frozenset()) -> tuple[str, dict[str, int]]:
    """Replace secrets and personal data; returns the text and how many distinct values of each kind went.

    `allowed` values stay, such as the author's own address.
    """
    (done,), counts = redact_parts((text,), allowed)
    return done, counts


def redact_parts(
    texts: Sequence[str], allowed: frozenset[str] = frozenset()
) -> tuple[list[str], dict[str, int]]:
    """Replace in several parts of one document, so that a value has the same placeholder in all of them."""
    stays = frozenset(map(_same, allowed))
    seen: dict[str, dict[str, int]] = {}
    return [_replace(text, stays, seen) for text in texts], {k: len(v) for k, v in seen.items()}


def _replace(text: str, stays: frozenset[str], seen: dict[str, dict[str, int]]) -> str:
    out, last = list[str](), 0
    for start, end, kind in _findings(text):
        value = _same(text[start:end])
        if value in stays:
            continue
        known = seen.setdefault(kind, {})
        out += [text[last:start], f"[{kind}_{known.setdefault(value, len(known) + 1)}]"]
        last = end
    return "".join([*out, text[last:]])


def _findings(text: str) -> list[tuple[int, int, str]]:
    """List what has to go, in order; of what overlaps, the kind that was looked for first."""
    taken: list[tuple[int, int, str]] = []
    for kind, find in _KINDS:
        for start, end in find(text):
            # What begins inside something taken begins after it.
            start = max([start, *(b for a, b, _ in taken if a <= start < b < end)])
            if all(end <= a or b <= start for a, b, _ in taken):
                taken.append((start, end, kind))
    return sorted(taken)


def _same(value: str) -> str:
    """Write a value in one form: how it is spaced and capitalised does not make it another."""
    return (
        re.sub(r"[\s().-]+", "", value).casefold()
        if value[:1] in "+(0123456789"
        else value.casefold()
    )


def _secrets(text: str) -> Iterator[Span]:
    yield from find_secrets(text)


def _emails(text: str) -> Iterator[Span]:
    for at in _AT.finditer(text):
        local = _LOCAL.search(text, max(0, at.start() - 64), at.start())
        domain = at.group().rpartition(".")[2].lower()
        if local and domain not in _NO_DOMAIN and local.group().lower() not in _NO_MAILBOX:
            yield local.start(), at.end()
    yield from (m.span() for m in _SPELLED.finditer(text))


def _ibans(text: str) -> Iterator[Span]:
    for match in _IBAN.finditer(text):
        length = next((n for n, c in _IBAN_LENGTHS.items() if match.group()[:2] in c), 0)
        value = _first(match.group(), length)
        compact = value.replace(" ", "")
        turned = "".join(str(int(c, 36)) for c in compact[4:] + compact[:4])
        if length and len(compact) == length and int(turned) % 97 == 1:
            yield match.start(), match.start() + len(value)


def _cards(text: str) -> Iterator[Span]:
    for match in _CARD.finditer(text):
        for length in (16, 15, 14, 13, 19):
            value = _first(match.group(), length)
            digits = re.sub(r"\D", "", value)
            ends = text[match.start() + len(value) : match.start() + len(value) + 1]
            spaced = not re.search(r"\D", value) or _CARD_GROUPS.fullmatch(value)
            if spaced and len(digits) == length and not ends.isdigit() and _is_card(digits):
                yield match.start(), match.start() + len(value)
                break


def _is_card(digits: str) -> bool:
    if not _ISSUERS.match(digits) or len(set(digits)) < 3 - (len(set(digits[1:])) == 1):
        return False
    doubled = (
        int(d) if i % 2 == 0 else sum(divmod(2 * int(d), 10)) for i, d in enumerate(digits[::-1])
    )
    return sum(doubled) % 10 == 0


def _first(value: str, characters: int) -> str:
    """Return the beginning of a value up to so many characters, blanks and dashes between them not counted."""
    seen = 0
    for n, char in enumerate(value):
        seen += char.isalnum()
        if seen == characters:
            return value[: n + 1]
    return value


def _phones(text: str) -> Iterator[Span]:
    for match in _ABROAD.finditer(text):
        if _is_phone(match.group(), None, strict=not set(match.group()) & set(" (-")):
            yield match.span()
    for match in _AMERICAN.finditer(text):
        if _is_phone(match.group(), "US", strict=False):
            yield match.span()
    for match in _ANNOUNCED.finditer(text):
        if any(_is_phone(match[1], region, strict=True) for region in _REGIONS):
            yield match.span(1)


def _is_phone(value: str, region: str | None, *, strict: bool) -> bool:
    """Ask the world's numbering plans: strictly for a number that nothing but its place marks as one."""
    import phonenumbers

    try:
        number = phonenumbers.parse(value, region)
    except phonenumbers.NumberParseException:
        return False
    check = phonenumbers.is_valid_number if strict else phonenumbers.is_possible_number
    return bool(check(number))


def _addresses(text: str) -> Iterator[Span]:
    for pattern in (_IPV4, _IPV6):
        for match in pattern.finditer(text):
            before = text[max(0, match.start() - 12) : match.start()]
            if _is_somebodys(match.group()) and not _VERSION.search(before):
                yield match.span()


def _is_somebodys(value: str) -> bool:
    if sum(len(part) == 1 for part in value.split(".")) >= 3:
        return False  # 1.2.3.4 and the like are examples and versions
    try:
        return value not in _PUBLIC_ADDRESSES and ip_address(value).is_global
    except ValueError:
        return False


def _numbers(pattern: re.Pattern[str]) -> Finder:
    return lambda text: (match.span() for match in pattern.finditer(text))


# Order matters: a key may look like anything that comes after it.
_KINDS: tuple[tuple[str, Finder], ...] = (
    ("SECRET", _secrets),
    ("EMAIL", _emails),
    ("IBAN", _ibans),
    ("CARD", _cards),
    ("SSN", _numbers(_SSN)),
    ("PHONE", _phones),
    ("IP", _addresses),
)
