"""The card of a dataset: whose words, from where and by whose leave, how it was made, and what is in it."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from statistics import quantiles

from include.documents import open_documents
from include.sample_making import Made
from include.settings import Settings
from include.sources import author_name, load_sources
from ml.feedback import Taught
from ml.negatives import length_bias
from ml.splits import held_out
from ml.types import DatasetVersion, Example, Preference

HOW = """Every answer is the author's own words, at a span of one revision of one document; what is asked follows
from headings, questions in the text, quotations, readers' questions and code. The notes of a prompt hold what
retrieval would bring: for `answer`, the passage that answers. So the loss on `answer` measures how notes are used,
and the loss on all others what is known without. Pairs reject a model's own answer, or the author's words with the
voice ironed out. Some follow from what readers said of answers, with their consent: `edited` chooses what the author
would have said, `thumbs` and `regenerated` an answer that stands in its sources."""

HELD_OUT = """Nobody learned from these documents. Retrieval, and answers that stand on it, are judged with them in the
index, and tell how notes are used; what is judged as known by heart must retrieve nothing of them (`without` in
ml/splits.py):"""


def write_card(
    settings: Settings,
    version: DatasetVersion,
    made: Made,
    preferences: Sequence[Preference],
    reason: str,
    taught: Taught,
) -> str:
    """Write the card of a version in Markdown; `reason` says why there is one."""
    parts = [
        f"# Dataset {version.id}",
        f"The words of {author_name(settings)}, from {len(version.documents)} documents. {reason}",
        _table(("split/task", "samples"), version.counts.items()),
        "## Sources\n\nConsent by source:",
        _sources(settings, version, made.examples),
        f"## How it was made\n\n{HOW}",
        _lineage(version, made),
        "## Statistics",
        _statistics(made.examples),
        _pairs(preferences),
        _judged(taught),
        "![Samples by task](tasks.png) ![Lengths of answers](answers.png) ![Pairs](pairs.png)",
        f"## Held out\n\n{HELD_OUT}",
        "\n".join(f"- {i}" for i in sorted(held_out(made.examples))),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _sources(settings: Settings, version: DatasetVersion, examples: Sequence[Example]) -> str:
    samples = Counter(e.span.document_id for e in examples)
    found: dict[str, list[str]] = defaultdict(list)
    with open_documents(settings) as store:
        for document in store.stream(sorted(version.documents)):
            found[document.source].append(document.id)
    rows = [
        f"- {s.id}: {s.consent} ({s.kind}, {len(found[s.id])} documents, "
        f"{sum(samples[i] for i in found[s.id])} samples, licence: {s.options.get('licence', 'the author’s')})"
        for s in load_sources(settings)
        if s.author.id == settings.author
    ]
    return "\n".join(rows)


def _lineage(version: DatasetVersion, made: Made) -> str:
    asked = ", ".join(f"{n} {how}" for how, n in sorted(made.asked.items()))
    return "\n".join(
        [
            f"- Made from dataset {version.parent or '(none)'}; fingerprint {version.fingerprint}.",
            f"- {made.dropped} samples were dropped: they hold what the test says or asks.",
            f"- Questions put by a language model: {asked}."
            if asked
            else "- No language model asked.",
        ]
    )


def _statistics(examples: Sequence[Example]) -> str:
    lengths: dict[str, list[int]] = defaultdict(list)
    for example in examples:
        lengths[example.task].append(len(example.messages[-1].content.split()))
    rows = [(task, len(found), *_deciles(found)) for task, found in sorted(lengths.items())]
    return _table(("task", "samples", "words: 10 %", "median", "90 %"), rows)


def _deciles(found: Sequence[int]) -> tuple[int, int, int]:
    cut = quantiles(found, n=10, method="inclusive") if len(found) > 1 else [float(found[0])] * 9
    return round(cut[0]), round(cut[4]), round(cut[8])


def _pairs(preferences: Sequence[Preference]) -> str:
    if not preferences:
        return "There are no preference pairs."
    bias, how = length_bias(preferences), Counter(p.how for p in preferences)
    made = ", ".join(f"{n} {name}" for name, n in how.most_common())
    return (
        f"Of {len(preferences)} pairs ({made}), the chosen text is {bias.difference:+.1%} longer in the mean; "
        f"guessing by length is right in {bias.accuracy:.1%} of the pairs, the best limit on length in "
        f"{bias.threshold:.1%} of the texts."
    )


def _judged(taught: Taught) -> str:
    """Say what became of readers' judgements."""
    if not taught.judgements:
        return "Readers have judged no answer."
    made = Counter(p.how for p in taught.pairs)
    why = Counter(r.reason.rstrip(".") for r in taught.refused)
    rows = [(f"pairs: {how}", n) for how, n in made.most_common()]
    rows += [(f"none: {reason}", n) for reason, n in why.most_common()]
    return f"Readers' {taught.judgements} judgements of answers:\n\n{_table(('became', 'number'), rows)}"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
