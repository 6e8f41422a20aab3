"""The story: the step `expand` asks a language model for other words, if one is named, and waits for it but briefly.

Where it is away, slow, spent or says nothing of use, the rules say it in their way and the trace says why. What came
too late is kept and serves the next time. One opening lasts as long as its owner, and so does its budget.
"""

import logging
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace

from include.llm import Llm, LlmBudgetSpent, is_own, open_llm
from include.settings import Settings
from ml.expand import Variants, expand_by_rules
from ml.terms import terms
from ml.types import Message

log = logging.getLogger(__name__)

# Seconds that a question waits for other words, and for which nobody asks again after a failure.
PATIENCE, REST = 3.0, 30.0
# Ways of asking that are searched for, and characters of each; of a question no more is sent than so much.
MOST, CHARACTERS, SENT = 3, 200, 600
# Questions that wait at a time; a slow endpoint holds no more threads.
AT_ONCE = 4
WISH = (
    f"Rephrase the question in {MOST} different ways that a search engine may find other texts by. Keep its meaning. "
    "Answer with nothing but the rephrased questions, one a line. Do not answer the question."
)


class Expander:
    """Asks in other words; may be used by several threads."""

    def __init__(self, settings: Settings) -> None:
        seconds = min(settings.llm_timeout, PATIENCE)
        self._settings = settings.model_copy(update={"llm_timeout": seconds})
        self._lock = threading.Lock()
        self._doors = ExitStack()
        self._llm: Llm | None = None
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="expand")
        self._rests_until = 0.0

    def expand(self, question: str) -> Variants:
        """Return other ways of asking; those of the rules where there is no language model to be asked."""
        if not self._settings.llm_url:
            return expand_by_rules(question)
        if time.monotonic() < self._rests_until:
            return _by_rules(question, "the language model failed a moment ago")
        try:
            if is_own(self._settings):
                return _by_rules(question, "the language model is the twin itself")
            said = self._ask(question[:SENT])
        # An answer fails for no want of other words: not by an endpoint, nor by an address that is none.
        except (RuntimeError, OSError, ValueError) as error:
            self._rests_until = time.monotonic() + REST
            return _by_rules(question, _reason(error), error)
        texts = read_variants(said, question)
        if not texts:
            return _by_rules(question, "the language model said nothing of use")
        return Variants(texts, self._settings.llm_model)

    def close(self) -> None:
        """Close the door; the next question opens it again, with a budget of its own."""
        with self._lock:
            doors, self._doors, self._llm = self._doors, ExitStack(), None
        doors.close()

    def _ask(self, question: str) -> str:
        """Wait as long as patience lasts, whatever the endpoint dribbles meanwhile."""
        asked = self._threads.submit(self._say, question)
        try:
            return asked.result(timeout=PATIENCE)
        finally:
            asked.cancel()

    def _say(self, question: str) -> str:
        with self._lock:
            if self._llm is None:
                self._llm = self._doors.enter_context(open_llm(self._settings))
                # Nobody waits for a second try.
                self._llm.tries = 1
            llm = self._llm
        return llm.ask([Message("system", WISH), Message("user", question)], max_tokens=128)


def read_variants(said: str, question: str) -> tuple[str, ...]:
    """Read one way of asking from each line, without its number or quotation marks; never the question itself."""
    lines = (
        re.sub(r"^\s*(?:[-*•]|\d+[.):])\s+", "", line).strip(' "“”') for line in said.splitlines()
    )
    kept = (line for line in lines if terms(line) and len(line) <= CHARACTERS)
    found = dict.fromkeys(line for line in kept if line.lower() != question.lower())
    return tuple(found)[:MOST]


def _reason(error: Exception) -> str:
    if isinstance(error, LlmBudgetSpent):
        return "the budget of requests is spent"
    slow = isinstance(error, TimeoutError)
    return "the language model was too slow" if slow else "the language model did not answer"


def _by_rules(question: str, why: str, error: Exception | None = None) -> Variants:
    """Fall back to the rules, and say why; the log says it in full."""
    log.warning("other words come from rules, %s: %s", why, error or "")
    return replace(expand_by_rules(question), by=f"rules: {why}")
