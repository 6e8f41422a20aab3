"""Pair the author's words with what he would not have said, so that a model learns voice and not length.

What is rejected is a model's own answer to the same prompt, where one was asked, or the author's words with
the voice ironed out. Of all pairs, about as many reject the longer text as the shorter one, by about as
much: nobody learns from them to be brief, or to be long.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor
from statistics import fmean

from ml.flatten import LENGTH_BAND, flatten_to, is_as_long
from ml.grounding import measure_support
from ml.types import Example, Message, Preference, digest

# Of these, a flat or a model's text can be told from the author's.
VOICED = ("answer", "continue", "post", "reply", "summarise")
# How a pair is called that rejects the author's words with the voice ironed out.
FLATTENED = "flattened"
# A model's answers: (how it was made, the text), by the prompt's name.
Answers = Mapping[str, Sequence[tuple[str, str]]]
# The mean difference in length, as a share of it, that is left.
DRIFT = 0.02
# A model's answer that repeats the author to this share is no other answer.
REPEATED = 0.5
# Fewer words than this are no answer to compare.
FEWEST = 8
# A mark, what it closes, and no small letter behind, as after "e.g.".
_SENTENCE_END = re.compile(r"[.!?…][\"')\]”’]*(?=\s+[^\sa-z]|\Z)")


@dataclass(frozen=True, slots=True)
class LengthBias:
    """What length alone tells about pairs: the mean of (chosen - rejected) / chosen, and two shares of right guesses.

    `accuracy` guesses by the better of "the longer one" and "the shorter one"; `threshold` judges single
    texts by the best limit of all. Both are .5 where length tells nothing. `surprise` says how many standard
    deviations `accuracy` is from a fair coin's.
    """

    difference: float = 0.0
    accuracy: float = 0.5
    threshold: float = 0.5
    surprise: float = 0.0


def make_preferences(
    examples: Sequence[Example], answers: Answers | None = None
) -> list[Preference]:
    """Pair up the samples that hold voice; where a model answered the prompt, with its answer."""
    pairs: list[Preference] = []
    for split in ("train", "test"):
        tilt = 0
        voiced = (e for e in examples if e.split == split and e.task in VOICED)
        for example in sorted(voiced, key=lambda e: e.id):
            said = answers.get(prompt_name(example.messages[:-1]), ()) if answers else ()
            if found := _reject(example, said, tilt):
                pairs.append(found)
                tilt += _sign(found)
    return balance(list({p.id: p for p in pairs}.values()))


def prompt_name(messages: Sequence[Message]) -> str:
    """Name a prompt by what it says."""
    return digest("prompt", *(m.content for m in messages))


def balance(pairs: Sequence[Preference]) -> list[Preference]:
    """Drop the most lopsided pairs until, of either split, length tells nothing about which text was chosen."""
    kept = {
        p.id for split in ("train", "test") for p in _even([p for p in pairs if p.split == split])
    }
    return [p for p in pairs if p.id in kept]


def _even(pairs: Sequence[Preference]) -> list[Preference]:
    """Keep as many pairs whose chosen text is the longer one as of the others, one more at most, and by as much."""
    ordered = sorted(pairs, key=lambda p: (abs(_difference(p)), p.id))
    longer, shorter = ([p for p in ordered if _sign(p) == sign] for sign in (1, -1))
    most = min(len(longer), len(shorter)) + 1
    longer, shorter = longer[:most], shorter[:most]
    while longer and shorter:
        drift = sum(map(_difference, (*longer, *shorter))) / (len(longer) + len(shorter))
        if abs(drift) <= DRIFT:
            break
        heavy, light = (longer, shorter) if drift > 0 else (shorter, longer)
        del heavy[-1], light[0]
    return [*longer, *shorter, *(p for p in ordered if _sign(p) == 0)]


def length_bias(pairs: Sequence[Preference]) -> LengthBias:
    """Measure how much could be guessed by length alone."""
    return bias_of([(p.chosen, p.rejected) for p in pairs])


def bias_of(pairs: Sequence[tuple[str, str]]) -> LengthBias:
    """Measure it on pairs of (chosen, rejected)."""
    if not pairs:
        return LengthBias()
    gaps = [len(chosen) - len(rejected) for chosen, rejected in pairs]
    longer = sum((gap > 0) + 0.5 * (gap == 0) for gap in gaps)
    share = longer / len(pairs)
    return LengthBias(
        difference=fmean(g / max(len(c), 1) for g, (c, _) in zip(gaps, pairs, strict=True)),
        accuracy=max(share, 1 - share),
        threshold=_best_threshold(pairs),
        surprise=abs(2 * longer - len(pairs)) / len(pairs) ** 0.5,
    )


def _reject(example: Example, said: Sequence[tuple[str, str]], tilt: int) -> Preference | None:
    """Find what an example's pair rejects: a text that makes up for the pairs before, if there is one."""
    chosen = example.messages[-1].content
    for how, rejected in _candidates(chosen, said, longer=tilt > 0):
        if rejected and is_as_long(rejected, chosen):
            return Preference(
                example.messages[:-1], chosen, rejected, example.span, how, example.split
            )
    return None


def _candidates(
    chosen: str, said: Sequence[tuple[str, str]], *, longer: bool
) -> Iterator[tuple[str, str]]:
    """Yield what could be rejected, best first: what a model said, then flat texts."""
    for how, text in said:
        if measure_support(text, chosen).containment < REPEATED:
            yield how, cut_to(text, len(chosen), longer=longer)
    yield FLATTENED, flatten_to(chosen, longer=longer)
    yield FLATTENED, flatten_to(chosen, longer=not longer)


def cut_to(text: str, length: int, *, longer: bool) -> str:
    """Cut a model's answer just above or just below the length of the author's: after a sentence that ends near it.

    Only where none does, it is cut at a word: were every rejected text broken off, nothing but that would be learned.
    """
    said = " ".join(text.split())
    low = length + 1 if longer else ceil((1 - LENGTH_BAND) * length)
    high = floor((1 + LENGTH_BAND) * length) if longer else length - 1
    ends = [m.end() for m in _SENTENCE_END.finditer(said) if low <= m.end() <= high]
    nearest = min(ends, key=lambda end: abs(end - length), default=0)
    kept = said[:nearest] or _cut_at_word(said, length, longer=longer)
    return kept if len(kept.split()) >= FEWEST else ""


def _cut_at_word(said: str, length: int, *, longer: bool) -> str:
    kept = ""
    for word in said.split():
        grown = f"{kept} {word}".strip()
        if len(grown) >= length and not longer:
            break
        kept = grown
        if len(kept) > length:
            break
    return kept


def _difference(pair: Preference) -> float:
    return (len(pair.chosen) - len(pair.rejected)) / max(len(pair.chosen), 1)


def _sign(pair: Preference) -> int:
    """Return 1 where the chosen text is the longer one, -1 where the rejected one is."""
    return (len(pair.chosen) > len(pair.rejected)) - (len(pair.chosen) < len(pair.rejected))


def _best_threshold(pairs: Sequence[tuple[str, str]]) -> float:
    """Return the share of texts that the best limit on length puts on the right side."""
    # Of texts up to a limit, as many more are chosen than rejected as are judged rightly beyond a half.
    marked = sorted([(len(c), 1) for c, _ in pairs] + [(len(r), -1) for _, r in pairs])
    best = running = 0
    for place, (length, mark) in enumerate(marked):
        running += mark
        if place + 1 == len(marked) or marked[place + 1][0] != length:
            best = max(best, abs(running))
    return 0.5 + best / len(marked)
