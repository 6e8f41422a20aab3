"""Invented secrets and personal data to plant in texts: of every form, none of them real, none of them in a file.

Each is made of random characters from a seed, so that no scanner of this repository finds a key in it.
"""

import random
import string

UPPER, LOWER, DIGITS = string.ascii_uppercase, string.ascii_lowercase, string.digits
ALNUM, HEX, WORD = UPPER + LOWER + DIGITS, "0123456789abcdef", UPPER + LOWER + DIGITS + "_-"
BASE64 = ALNUM + "+/"
# Prefix, alphabet and length of what follows, repeated; joined here so that no prefix stands whole.
KEYS = {
    "aws": [("AK" + "IA", UPPER + DIGITS, 16)],
    "aws session": [("AS" + "IA", UPPER + DIGITS, 16)],
    "google": [("AI" + "za", WORD, 35)],
    "google oauth": [("ya" + "29.", WORD, 60)],
    "google client": [("GOC" + "SPX-", WORD, 28)],
    "azure client": [("abc" + "8Q~", ALNUM, 34)],
    "github": [("gh" + "p_", ALNUM, 36)],
    "github app": [("gh" + "s_", ALNUM, 36)],
    "github fine": [("github_" + "pat_", ALNUM, 22), ("_", ALNUM, 59)],
    "gitlab": [("gl" + "pat-", WORD, 20)],
    "gitlab deploy": [("gl" + "dt-", WORD, 20)],
    "slack bot": [("xo" + "xb-", DIGITS, 12), ("-", DIGITS, 12), ("-", ALNUM, 24)],
    "slack user": [("xo" + "xp-", DIGITS, 12), ("-", DIGITS, 12), ("-", HEX, 32)],
    "slack app": [("xa" + "pp-1-", UPPER, 11), ("-", DIGITS, 13), ("-", HEX, 64)],
    "stripe": [("sk_" + "live_", ALNUM, 24)],
    "stripe restricted": [("rk_" + "live_", ALNUM, 32)],
    "stripe hook": [("wh" + "sec_", ALNUM, 32)],
    "openai": [("s" + "k-", ALNUM, 48)],
    "openai project": [("s" + "k-proj-", WORD, 80)],
    "anthropic": [("s" + "k-ant-api03-", WORD, 95)],
    "hugging face": [("h" + "f_", ALNUM, 34)],
    "npm": [("np" + "m_", ALNUM, 36)],
    "pypi": [("py" + "pi-AgEIcHlwaS5vcmc", WORD, 90)],
    "sendgrid": [("S" + "G.", WORD, 22), (".", WORD, 43)],
    "twilio": [("S" + "K", HEX, 32)],
    "mailgun": [("ke" + "y-", HEX, 32)],
    "mailchimp": [("", HEX, 32), ("-us", DIGITS, 1)],
    "digitalocean": [("do" + "p_v1_", HEX, 64)],
    "databricks": [("da" + "pi", HEX, 32)],
    "shopify": [("shp" + "at_", HEX, 32)],
    "telegram": [("", "123456789", 9), (":A" + "A", WORD[:-2], 33)],
    "vault": [("hv" + "s.", ALNUM, 90)],
    "docker": [("dckr_" + "pat_", ALNUM, 27)],
    "atlassian": [("ATA" + "TT3", WORD[:-2], 100)],
    "groq": [("gs" + "k_", ALNUM, 52)],
    "grafana": [("gl" + "sa_", ALNUM, 32), ("_", HEX, 8)],
    "jwt": [("ey" + "J", ALNUM, 33), (".ey" + "J", ALNUM, 60), (".", WORD, 43)],
}
# Where a secret stands gives it away; `{}` is the secret.
PLACES = {
    "aws secret": ("aws_" + "secret_access_key = {}", BASE64, 40),
    "azure storage": (
        "DefaultEndpointsProtocol=https;Account" + "Key={}==;Suffix=core",
        BASE64,
        86,
    ),
    "postgres": ("postgresql://app:{}@db.internal:5432/app", ALNUM, 18),
    "mongodb": ("mongodb+srv://twin:{}@cluster0.abcde.mongodb.net/x", ALNUM, 16),
    "redis": ("redis://:{}@10.0.0.7:6379/0", ALNUM, 24),
    "amqp": ("amqp://svc:{}@mq:5672/%2f", ALNUM + "!-", 14),
    "odbc": ("Server=db1;Database=x;User Id=sa;Password={};", ALNUM + "!#", 16),
    "bearer": ("Authorization: " + "Bearer {}", WORD, 40),
    "basic": ("Authorization: " + "Basic {}", ALNUM, 36),
    "query": ("https://api.host.org/v1/items?limit=5&api_key={}", ALNUM, 32),
    "presigned": ("https://b.s3.org/k?X-Amz-Algorithm=A&X-Amz-Signature={}", HEX, 64),
    "assigned": ("client_" + 'secret = "{}"', ALNUM, 32),
    "yaml": ("  api_" + "key: {}", ALNUM, 40),
    "environment": ("export DEPLOY_" + "TOKEN={}", ALNUM, 40),
    "password": ("pass" + 'word = "{}"', ALNUM + "!#%&", 14),
    "json": ('{{"auth_' + 'token": "{}"}}', ALNUM, 40),
    "npmrc": ("//registry.org/:_auth" + "Token={}", ALNUM, 36),
    "slack hook": ("https://hooks.slack" + ".com/services/{}", ALNUM, 44),
}
IBANS = (
    "DE89370400440532013000 GB82WEST12345698765432 FR1420041010050500013M02606 "
    "NL91ABNA0417164300 CH9300762011623852957"
)
PHONES = [
    *(
        "+44 20 7946 0148",
        "+1 (555) 010-9999",
        "+49 30 901820",
        "+33 1 42 68 53 00",
        "+919876543210",
        "+61 2 9374 4000",
    ),
    *("(212) 555-0123", "212-555-0187", "415.555.2671"),
]
ADDRESSES = ["93.184.216.34", "52.95.110.1", "2606:2800:220:1:248:1893:25c8:1946"]


def secrets(seed: int) -> dict[str, tuple[str, str]]:
    """Make one secret of each form: the secret, and how it stands in a text."""
    chance = random.Random(seed)
    made = {}
    for name, parts in KEYS.items():
        key = "".join(prefix + _some(chance, alphabet, n) for prefix, alphabet, n in parts)
        made[name] = (key, key)
    for name, (place, alphabet, n) in PLACES.items():
        value = _some(chance, alphabet, n)
        made[name] = (value, place.format(value))
    body = "\n".join(_some(chance, BASE64, 64) for _ in range(12))
    for name in ("RSA ", "EC ", "OPENSSH ", ""):
        block = (
            f"-----BEGIN {name}PRIVATE" + f" KEY-----\n{body}\n-----END {name}PRIVATE" + " KEY-----"
        )
        made[f"{name}key block"] = (body.split("\n")[5], block)
    return made


def personal(seed: int) -> list[tuple[str, str]]:
    """Make personal data, each with its kind: addresses, accounts, cards, telephones, numbers of people."""
    chance = random.Random(seed)
    people = [f"{_some(chance, LOWER, 7)}.{_some(chance, LOWER, 5)}" for _ in range(12)]
    hosts = "example.org mail.example.co.uk firma.de uni-ulm.example some.dev quay.io".split()
    found = [("EMAIL", f"{p}@{chance.choice(hosts)}") for p in people]
    found += [
        ("EMAIL", f"{people[0]} [at] firma [dot] de"),
        ("EMAIL", f"{people[1]}+list@sub.firma.de"),
    ]
    found += [("IBAN", i) for i in IBANS.split()]
    found += [("IBAN", " ".join(i[n : n + 4] for n in range(0, len(i), 4))) for i in IBANS.split()]
    cards = [
        _card(chance, p, n)
        for p, n in (("4", 16), ("51", 16), ("2223", 16), ("37", 15), ("6011", 16), ("36", 14))
    ]
    found += [("CARD", c) for c in cards]
    found += [
        ("CARD", sep.join(c[n : n + 4] for n in range(0, 16, 4))) for c in cards[:3] for sep in " -"
    ]
    found += [("PHONE", p) for p in PHONES]
    found += [
        ("SSN", f"{chance.randint(101, 650)}-{chance.randint(10, 98)}-{chance.randint(1000, 9998)}")
        for _ in range(3)
    ]
    return found + [("IP", a) for a in ADDRESSES]


def _some(chance: random.Random, alphabet: str, count: int) -> str:
    """Draw characters; the first three are a digit, a capital and a small letter where the alphabet has them."""
    first = [
        c
        for c in (chance.choice(DIGITS), chance.choice(UPPER), chance.choice(LOWER))
        if c in alphabet
    ]
    drawn = [*first, *chance.choices(alphabet.replace("-", "").replace("_", ""), k=count)]
    return "".join(drawn[:count])


def _card(chance: random.Random, prefix: str, length: int) -> str:
    body = prefix + _some(chance, DIGITS, length - len(prefix) - 1)
    total = sum(int(d) if i % 2 else sum(divmod(2 * int(d), 10)) for i, d in enumerate(body[::-1]))
    return f"{body}{-total % 10}"
