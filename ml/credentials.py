"""Find secrets in a text: keys of known vendors by their shape, key blocks, passwords by where they stand.

Shapes come from detect-secrets and from the vendors' own documentation; a cheap look for a hint decides whether a
pattern runs at all. A value after `password =` counts only when it looks random, so that code that
merely speaks of passwords stays. Nothing is replaced here.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache

Span = tuple[int, int]
# A hint in lower case, and the pattern that runs where the hint is; a group, where there is one, is the secret.
_Rule = tuple[str, re.Pattern[str]]

_VENDORS = (
    ("akia", r"(?:AKIA|ABIA|ACCA)[A-Z0-9]{16}"),
    ("asia", r"ASIA[A-Z0-9]{16}"),
    ("a3t", r"A3T[A-Z0-9]{17}"),
    ("aiza", r"AIza[\w-]{35}"),
    ("ya29.", r"ya29\.[\w.-]{20,}"),
    ("gocspx-", r"GOCSPX-[\w-]{20,}"),
    ("8q~", r"[\w~.-]{3}8Q~[\w~.-]{31,34}"),
    ("accountkey=", r"AccountKey=([A-Za-z0-9+/]{40,}={0,2})"),
    ("sharedaccess", r"SharedAccess(?:Key|Signature)[=:]\s?([A-Za-z0-9+/%=&-]{30,})"),
    ("gh", r"gh[pousr]_[A-Za-z0-9]{30,}"),
    ("github_pat_", r"github_pat_\w{40,}"),
    ("gl", r"gl(?:pat|dt|rt|cbt|ptt|ft|soat|agent|oas|imt)-[\w.-]{20,}"),
    ("gr1348941", r"GR1348941[\w-]{20}"),
    ("xox", r"xox[abeoprs](?:\.xox[bp])?-[\w-]{10,}"),
    ("xapp-", r"xapp-\d-[\w-]{20,}"),
    ("hooks.slack.com", r"hooks\.slack\.com/(?:services|workflows)/([\w/]{20,})"),
    ("k_", r"(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,}"),
    ("whsec_", r"whsec_[A-Za-z0-9+/=]{24,}"),
    ("sk-", r"sk-(?:[a-z0-9]+-){0,3}[A-Za-z0-9_-]{20,}"),
    ("hf_", r"hf_[A-Za-z0-9]{30,}"),
    ("api_org_", r"api_org_[A-Za-z0-9]{30,}"),
    ("akc", r"AKC[A-Za-z0-9]{60,}"),
    ("npm_", r"npm_[A-Za-z0-9]{36}"),
    ("_authtoken", r"_authToken\s*=\s*([\w=/+-]{16,})"),
    ("pypi-", r"pypi-AgEIcH[\w-]{20,}"),
    ("pypi-", r"pypi-AgENdGVzdC5weXBp[\w-]{20,}"),
    ("sg.", r"SG\.[\w-]{16,}\.[\w-]{16,}"),
    ("sk", r"SK[0-9a-f]{32}"),
    ("key-", r"key-[0-9a-f]{32}"),
    ("-us", r"[0-9a-f]{32}-us\d{1,2}"),
    ("do", r"do[opr]_v1_[0-9a-f]{64}"),
    ("dapi", r"dapi[0-9a-f]{32}(?:-\d)?"),
    ("discord", r"discord(?:app)?\.com/api/webhooks/(\d+/[\w-]{40,})"),
    (":aa", r"\d{8,10}:AA[\w-]{32,33}"),
    ("shp", r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}"),
    ("sq0", r"sq0[a-z]{3}-[\w-]{22,43}"),
    ("eaaa", r"EAAA[\w-]{60}"),
    ("lin_", r"lin_(?:api|oauth)_[A-Za-z0-9]{32,}"),
    ("ntn_", r"ntn_[A-Za-z0-9]{40,}"),
    ("secret_", r"secret_[A-Za-z0-9]{43}"),
    ("figd_", r"figd_[\w-]{40,}"),
    ("pmak-", r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}"),
    ("nrak-", r"NRAK-[A-Z0-9]{27}"),
    ("gls", r"gls[ac]_[\w+/=]{30,}"),
    ("glc_", r"glc_[\w+/=]{30,}"),
    ("hv", r"hv[sbr]\.[\w-]{24,}"),
    (".atlasv1.", r"[\w-]{14}\.atlasv1\.[\w-]{60,70}"),
    ("dp.", r"dp\.(?:pt|st|ct|sa|scim|audit)\.[\w.-]{40,}"),
    ("age-secret", r"AGE-SECRET-KEY-1[0-9A-Z]{58}"),
    ("gsk_", r"gsk_[A-Za-z0-9]{40,}"),
    ("r8_", r"r8_[A-Za-z0-9]{37,}"),
    ("pplx-", r"pplx-[A-Za-z0-9]{40,}"),
    ("xai-", r"xai-[A-Za-z0-9]{60,}"),
    ("pcsk_", r"pcsk_\w{40,}"),
    ("lsv2_", r"lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}"),
    ("sbp_", r"sbp_[0-9a-f]{40}"),
    ("pscale_", r"pscale_(?:tkn|pw|oauth)_[\w.-]{32,}"),
    ("sntrys_", r"sntrys_[\w+/=.-]{40,}"),
    ("fm", r"FlyV1 fm\d_[\w+/=,-]{40,}|fm2_[\w+/=-]{40,}"),
    ("dckr_pat_", r"dckr_(?:pat|oat)_[\w-]{20,}"),
    ("atatt3", r"ATATT3[\w=-]{50,}"),
    ("eyj", r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{10,}"),
)
_PLACES = (
    (
        "private key",
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----.{20,20000}?-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----",
    ),
    (
        "private key",
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(?:\s|\\n)*(?:[A-Za-z0-9+/=]{30,}(?:\s|\\n)*)+",
    ),
    ("private-lines", r"Private-Lines: \d+\s+((?:[A-Za-z0-9+/=]+\s+)+)Private-MAC: [0-9a-f]+"),
    ("://", r"\b[a-z][a-z0-9+.-]{1,20}://[^\s:@/'\"<>`]*:([^\s/'\"<>`]{3,})(?=@[\w.\[-])"),
    ("pwd", r";\s*Pwd\s*=\s*([^;\"'\s]{4,})"),
    ("password", r";\s*Password\s*=\s*([^;\"'\s]{4,})"),
    (
        "aws",
        r"aws.{0,20}?(?:key|pw|pass|token).{0,20}?[=:]\s*['\"]?([0-9a-zA-Z/+]{40})(?![0-9a-zA-Z/+])",
    ),
)
_LOOK_RANDOM = (
    ("bearer ", r"\bBearer\s+([\w+/.~-]{16,}={0,2})"),
    ("basic ", r"\bBasic\s+([A-Za-z0-9+/]{12,}={0,2})"),
    (
        "=",
        r"[?&](?:api[_-]?key|(?:access[_-]?|auth[_-]?)?token|sig|signature|key|secret|X-Amz-(?:Signature|Security-Token))"
        r"=([\w%.~+/-]{16,})",
    ),
)
# detect-secrets' detectors of fixed shapes, and what a text must hold for them to be asked.
_DETECTORS = {
    "aws.AWSKeyDetector": ("akia", "asia", "abia", "acca", "a3t", "aws"),
    "azure_storage_key.AzureStorageKeyDetector": ("accountkey",),
    "cloudant.CloudantDetector": ("cloudant",),
    "discord.DiscordBotTokenDetector": (".",),
    "github_token.GitHubTokenDetector": ("gh",),
    "gitlab_token.GitLabTokenDetector": ("gl", "gr1348941"),
    "ibm_cloud_iam.IbmCloudIamDetector": ("ibm",),
    "ibm_cos_hmac.IbmCosHmacDetector": ("secret",),
    "mailchimp.MailchimpDetector": ("-us",),
    "npm.NpmDetector": ("_authtoken",),
    "openai.OpenAIDetector": ("t3blbkfj",),
    "pypi_token.PypiTokenDetector": ("pypi-",),
    "sendgrid.SendGridDetector": ("sg.",),
    "slack.SlackDetector": ("xox", "hooks.slack.com"),
    "softlayer.SoftlayerDetector": ("softlayer", "sl_"),
    "square_oauth.SquareOAuthDetector": ("sq0csp",),
    "stripe.StripeDetector": ("k_live_",),
    "telegram_token.TelegramBotTokenDetector": (":",),
    "twilio.TwilioKeyDetector": ("sk",),
}
_KEYWORD = re.compile(
    r"passw(?:or)?d|passphrase|pwd|secret|token|(?:api|access|auth|private|encryption|signing|account)[_-]?key|credential"
)
_ASSIGNED = re.compile(
    r"\w{0,24}[\"'`\])]{0,2}[ \t]{0,8}(?:=>|:=|={1,3}|:|,|[ \t]is[ \t]|[ \t]was[ \t])[ \t]{0,8}"
    r"(?P<open>[rbuf]{0,2}[\"'`])?(?P<value>[^\s\"'`,;]{8,200})"
)
_PLACEHOLDER = re.compile(
    r"[<>{}$*…]|%[sd(]|\.\.\.|x{4,}|example|your|change|placeholder|dummy|redacted|sample|password|passwd|secret|"
    r"\b(?:pass|pwd|user|test|foo|bar|none|null|true|false)\b|\[\w+_\d+\]",
    re.IGNORECASE,
)


def find_secrets(text: str) -> list[Span]:
    """List where secrets stand, in order, without overlaps."""
    lowered = text.lower()
    if len(lowered) != len(text):  # some letters grow when lowered; offsets must not
        lowered = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    return _merged(sorted([*_shaped(text, lowered), *_assigned(text, lowered)]))


def _shaped(text: str, lowered: str) -> Iterator[Span]:
    for hint, pattern, check in _rules():
        if hint in lowered:
            for match in pattern.finditer(text):
                group = next((n for n, g in enumerate(match.groups(), 1) if g), 0)
                if not check or (
                    _looks_random(match[group]) if check == "random" else _is_password(match[group])
                ):
                    yield match.span(group)


def _assigned(text: str, lowered: str) -> Iterator[Span]:
    """List random values that are given to something that is named like a secret."""
    for keyword in _KEYWORD.finditer(lowered):
        found = _ASSIGNED.match(text, keyword.end())
        if found and _looks_random(found["value"].rstrip(".)]}"), quoted=bool(found["open"])):
            start, value = found.start("value"), found["value"]
            yield start, start + len(value if found["open"] else value.rstrip(".)]}"))


def _merged(spans: list[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in spans:
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _is_password(value: str) -> bool:
    """Tell whether what stands at a password's place is one, and not a name for one."""
    return not _PLACEHOLDER.search(value)


def _looks_random(value: str, *, quoted: bool = True) -> bool:
    """Tell a generated value from a word, a name, a call or a path: kinds of characters, and entropy."""
    if _PLACEHOLDER.search(value) or (not quoted and re.search(r"[()\[\]]|\w\.\w", value)):
        return False
    lower, upper, digit = (bool(re.search(p, value)) for p in ("[a-z]", "[A-Z]", "[0-9]"))
    mark = bool(re.search(r"[^\w.:/\\-]", value))
    kinds = lower + upper + digit + mark
    if (
        not digit
        or value.startswith(("/", "./", "http"))
        or re.fullmatch(r"0x[0-9a-fA-F]+|[\d.:-]+", value)
    ):
        return False
    if len(value) < 12:
        return kinds >= 3 and _entropy(value) >= 2.5
    return kinds >= 2 and _entropy(value) >= 3.0 and len(re.findall(r"\d|[A-Z]", value)) >= 3


def _entropy(value: str) -> float:
    """Measure the bits a character of a value."""
    shares = [n / len(value) for n in Counter(value).values()]
    return -sum(s * math.log2(s) for s in shares)


@lru_cache(maxsize=1)
def _rules() -> tuple[tuple[str, re.Pattern[str], str], ...]:
    """Compile all patterns once, each with its hint and with how its findings are checked."""
    rules = [
        (hint, re.compile(rf"(?<![A-Za-z0-9_])(?:{p})(?![A-Za-z0-9])"), "") for hint, p in _VENDORS
    ]
    for hint, place in _PLACES:
        flags = re.S | re.I if hint in ("aws", "pwd", "password") else re.S
        check = "password" if hint in ("://", "pwd", "password") else ""
        rules.append((hint, re.compile(place, flags), check))
    rules += [(hint, re.compile(p, re.I), "random") for hint, p in _LOOK_RANDOM]
    return (*rules, *_detectors())


def _detectors() -> Iterator[tuple[str, re.Pattern[str], str]]:
    from importlib import import_module

    for name, hints in _DETECTORS.items():
        module, cls = name.split(".")
        denylist = getattr(import_module(f"detect_secrets.plugins.{module}"), cls).denylist
        for pattern in denylist:
            bounded = re.compile(
                rf"(?<![A-Za-z0-9]){pattern.pattern}(?![A-Za-z0-9])", pattern.flags
            )
            yield from ((hint, bounded, "random") for hint in hints)
