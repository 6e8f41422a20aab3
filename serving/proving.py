"""How a candidate proves itself before it is rolled out: golden questions, then a part of the callers, then none left.

Whatever it fails is a DeployFailed that says in words why; an Unfit where the fault is its own, and not that of an
endpoint that is away, full, or answers with another model.
"""

import time

import httpx

from include.documents import open_documents
from include.keys import api_key
from include.settings import Settings
from ml.canary import find_fault

# Each takes another way through the answer: evidence, small talk, what nobody knows, and a text, which needs no
# evidence: there every model has to speak.
GOLDEN_QUESTIONS = (
    "Write a post that begins like this: Last week I learned",
    "What have you written about?",
    "Hello!",
    "What is the best recipe for strawberry jam?",
)
# Drawn, as most callers are answered, and the same every time.
DRAWN = {"max_tokens": 8, "temperature": 0.7, "seed": 1}
# What the endpoint calls an error that is the model's own: it broke, or reads less than the others.
MODEL_FAILED = "model_failed"
OWN_FAULTS = (MODEL_FAILED, "context_length_exceeded")
# Seconds between two looks at what came of a trial.
LOOK = 0.25


class DeployFailed(RuntimeError):
    """Raised after a failed roll-out, with the old model serving again."""


class Unfit(DeployFailed, ValueError):
    """Raised where the model itself failed: a ValueError, as bad data is, since another try would end alike."""


def ask_golden_questions(settings: Settings, name: str, model_id: str) -> None:
    """Ask a model, by a name, all golden questions; one that is not answered by it is a DeployFailed."""
    headers = {"Authorization": f"Bearer {api_key(settings)}"}
    url = f"{settings.endpoint()}/v1/chat/completions"
    with httpx.Client(headers=headers, timeout=60, trust_env=False) as http:
        for question in GOLDEN_QUESTIONS:
            asked = [{"role": "user", "content": question}]
            body = {"model": name, "messages": asked, **DRAWN}
            answer = http.post(url, json=body)
            if answer.status_code != 200:
                raise (Unfit if _is_its_own(answer) else DeployFailed)(
                    f"To {question!r} it answered {answer.status_code}: {answer.text[:300]}"
                )
            told = answer.json()
            if told["model_version"] != model_id:
                raise DeployFailed(f"Another model answered: {told['model_version']}")
            if not told["choices"][0]["message"]["content"]:
                raise Unfit(f"To {question!r} it answered nothing.")


def _is_its_own(answer: httpx.Response) -> bool:
    """Tell an error of the model from one of the endpoint; what is no JSON comes from before it."""
    told = answer.json() if "json" in answer.headers.get("Content-Type", "") else {}
    return told.get("error", {}).get("code") in OWN_FAULTS


def watch_trial(settings: Settings, candidate: str, champion: str) -> str:
    """Watch live answers until there are enough of them, or nobody asks; returns in words what was seen."""
    started = time.monotonic()
    while True:
        with open_documents(settings) as documents:
            seen = documents.outcomes(candidate)
        its = [o for o in seen if o.model_id == candidate]
        theirs = [o for o in seen if o.model_id == champion]
        margins = settings.gate_latency_margin, settings.gate_grounded_margin
        if fault := find_fault(its, theirs, *margins):
            raise Unfit(f"As a canary it is worse than the champion: {fault}.")
        spent = time.monotonic() - started
        if not seen and spent > settings.canary_quiet:
            return "Nobody asked meanwhile: its golden questions alone count."
        if len(its) >= settings.canary_answers or spent > settings.canary_seconds:
            return f"As a canary it answered {len(its)} requests, beside {len(theirs)} of the champion, and no worse."
        time.sleep(LOOK)
