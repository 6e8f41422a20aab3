"""The story's side chapter: see what was refused, let a revision pass after all, and have it judged again.

A release holds for one revision of one text at one stage, and says who gave it and why; it is kept.
What holds a secret, what was asked to be forgotten and what has no text to let through stay where
they are, whoever asks.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase

from include.documents import Documents, open_documents
from include.ingestion import store_documents
from include.quality import stopped_at
from include.records import Release
from include.settings import Settings
from include.suites import FINAL_REASONS
from ml.types import Rejected, digest

# Stages whose suite refuses single texts, which may be let pass.
STAGES = ("raw", "clean", "chunk", "feature")
# How many texts a list shows, and how much of a value: what tasks hand to each other stays small.
SHOWN, SHOWN_CHARACTERS = 12, 60


def list_quarantine(settings: Settings, stage: str = "", pattern: str = "*") -> dict[str, object]:
    """List what is in quarantine at a stage (all of them if empty), of URLs like `pattern`: counts and the first."""
    with open_documents(settings) as documents:
        found = _texts(documents, stage, pattern)
    reasons = Counter(f"{r.stage}: {r.reason}" for refused in found.values() for r in refused)
    first = [_line(url, at, refused) for (url, at), refused in list(found.items())[:SHOWN]]
    return {"texts": len(found), "reasons": dict(reasons.most_common(SHOWN)), "first": first}


def release_quarantined(
    settings: Settings, stage: str, pattern: str, who: str, why: str
) -> dict[str, object]:
    """Let the matching revisions pass a stage that refused them; returns how many, and which may not and why.

    They pass when they are judged again: `replay_quarantined`. Raises LookupError when nothing matches.
    """
    if not who.strip() or not why.strip():
        raise ValueError("A release names who gives it and why; fill in both.")
    with open_documents(settings) as documents:
        found = _texts(documents, stage, pattern)
        before = [r for r in documents.releases() if r.stage == stage and _like(r.url, pattern)]
        if not found and not before:
            raise LookupError(f"Nothing like {pattern!r} is in quarantine at stage {stage!r}.")
        kept = {url: said for (url, _), rs in found.items() if (said := _why_not(rs))}
        now = datetime.now(UTC)
        count = documents.release(
            Release(url, stage, refused[0].revision, who.strip(), why.strip(), now)
            for (url, _), refused in found.items()
            if url not in kept
        )
    return {"released": count, "kept": dict(list(kept.items())[:SHOWN])}


def replay_quarantined(settings: Settings, stage: str = "", pattern: str = "*") -> dict[str, int]:
    """Have what matches judged again: raw texts here and now, clean ones and features by the next build_features."""
    with open_documents(settings) as documents:
        found = _texts(documents, stage, pattern)
        counts = Counter(at for _, at in found)
        staged = [d for d in documents.quarantined() if (d.url, "raw") in found]
        documents.stage(staged)
        if counts["feature"]:
            _measure_again(documents, [url for url, at in found if at == "feature"])
        for at in STAGES[1:]:
            urls = [url for url, refused_at in found if refused_at == at]
            documents.clear_rejected_at(at, urls)
            documents.clear_rejected_at(stopped_at(at), urls)
    stored = int(str(store_documents(settings)["new"])) if staged else 0
    return {**{at: counts[at] for at in STAGES}, "stored": stored}


def _texts(documents: Documents, stage: str, pattern: str) -> dict[tuple[str, str], list[Rejected]]:
    """Find what was refused, by URL and stage; texts that stopped their batch belong to its stage."""
    _check_stage(stage)
    found: dict[tuple[str, str], list[Rejected]] = {}
    for rejected in sorted(documents.rejected(), key=lambda r: (r.where, r.stage, r.reason)):
        at = rejected.stage.removesuffix(stopped_at(""))
        if stage in ("", at) and _like(rejected.where, pattern):
            found.setdefault((rejected.where, at), []).append(rejected)
    return found


def _check_stage(stage: str) -> None:
    known = ("", *STAGES, "crawl", "dataset", "forgotten")
    if stage not in known:
        raise ValueError(f"There is no stage {stage!r}; use one of {', '.join(known[1:])}.")


def _like(url: str, pattern: str) -> bool:
    """Tell whether a URL is the one that is named, or is like a pattern with * and ?."""
    return url == pattern or fnmatchcase(url, pattern)


def _why_not(refused: Sequence[Rejected]) -> str:
    """Say why a text may not be let pass; empty where it may."""
    stage = refused[0].stage.removesuffix(stopped_at(""))
    if any(_is_secret(r) for r in refused):
        return "it holds a secret; take it out of the text at its source"
    if stage == "forgotten":
        return "somebody asked for it to be forgotten"
    if stage == "dataset":
        return "a sample has to be the author's own words"
    if stage not in STAGES or not all(":" in r.reason for r in refused):
        return "there is no text to let through; mend it at its source, the next crawl tries again"
    return ""


def _is_secret(rejected: Rejected) -> bool:
    return rejected.reason in FINAL_REASONS or "secret" in rejected.reason.casefold()


def _line(url: str, stage: str, refused: Sequence[Rejected]) -> dict[str, object]:
    secret = any(map(_is_secret, refused))
    value = "(not shown)" if secret else refused[0].value[:SHOWN_CHARACTERS]
    reasons = ", ".join(dict.fromkeys(r.reason for r in refused))
    shown: dict[str, object] = {"url": url, "stage": stage, "reasons": reasons, "value": value}
    said = _why_not(refused)
    return {**shown, "stays": said} if said else shown


def _measure_again(documents: Documents, urls: Sequence[str]) -> None:
    """Make the next `store_features` measure these, although no text has changed."""
    documents.unmark_measured(digest("document", url) for url in urls)
