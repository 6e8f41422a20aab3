"""Answer many questions through the endpoint: read from a file or a collection, kept in MongoDB, each row once.

    questions.jsonl     {"id": "1", "question": "Why does fsync lie?"}     one a line; `id` may be left out
    questions.csv       the same as columns
    collection:NAME     the same as records of MongoDB

What is asked is a row's id and question, the model's name and the number of tokens: asked once in each batch,
and kept beside what was asked under that id before. A run goes on where a killed one ended; a row's seed
comes from its id, so that whoever asks it again hears the same. What was refused is kept with its
reason and asked again by the next run.
"""

import csv
import json
import logging
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from include.documents import open_documents
from include.keys import api_key
from include.records import Record
from include.settings import Settings
from ml.types import digest

log = logging.getLogger(__name__)

# Questions that wait for an answer at the same time: those that one replica answers together.
AT_ONCE = 4
# How often, and for how many seconds at most, a question that came too early is asked again.
TRIES, LONGEST_WAIT = 8, 30.0
COLLECTION = "collection:"


def answer_batch(
    settings: Settings, where: str, name: str = "", model: str = "twin", max_tokens: int = 96
) -> dict[str, object]:
    """Answer every row that has no answer yet; returns the batch's name and counts."""
    batch = name or where.removeprefix(COLLECTION).rpartition("/")[2]
    asked = {"model": model, "max_tokens": int(max_tokens)}
    rows = {_ask_id(batch, row, asked): row for row in _rows(settings, where)}
    with open_documents(settings) as documents:
        known, refused = documents.batch_answers(batch), 0
        asking = {a: row for a, row in rows.items() if known.get(a, {"error": "new"})["error"]}
        with _client(settings) as http, ThreadPoolExecutor(AT_ONCE) as callers:
            waiting = {callers.submit(_ask, http, *row, asked): a for a, row in asking.items()}
            try:
                for number, future in enumerate(as_completed(waiting), start=1):
                    told = {"batch": batch, "asked": asked, "at": datetime.now(UTC)}
                    answer = future.result() | told
                    documents.put_batch_answer(waiting[future], answer)
                    refused += bool(answer["error"])
                    log.info("%s: %d of %d", batch, number, len(waiting))
            finally:
                callers.shutdown(wait=False, cancel_futures=True)
    return {"batch": batch, "rows": len(rows), "asked": len(asking), "refused": refused}


def _ask_id(batch: str, row: tuple[str, str], asked: Record) -> str:
    """Name one ask of a batch: another question, model or length under the same id is another one."""
    return digest("batch", batch, *row, json.dumps(asked, sort_keys=True))


def _client(settings: Settings) -> httpx.Client:
    headers = {"Authorization": f"Bearer {api_key(settings)}"}
    return httpx.Client(base_url=settings.endpoint(), headers=headers, timeout=150, trust_env=False)


def _ask(http: httpx.Client, row: str, question: str, asked: Record) -> dict[str, Any]:
    """Ask one question; what the endpoint refuses for good is an answer with an error."""
    body = {
        **asked,
        "messages": [{"role": "user", "content": question}],
        "seed": int(digest("seed", row)[:8], 16),
    }
    for attempt in range(TRIES):
        answer = http.post("/v1/chat/completions", json=body)
        if answer.status_code not in (429, 503):
            break
        wait = float(answer.headers.get("retry-after", 1))
        if attempt + 1 < TRIES:
            time.sleep(min(wait, LONGEST_WAIT))
    if answer.status_code in (401, 403, 404, 429) or answer.status_code >= 500:
        raise ConnectionError(f"The endpoint answered {answer.status_code}: {answer.text[:300]}")
    return {"row": row, "question": question, **_told(answer)}


def _told(answer: httpx.Response) -> dict[str, object]:
    said = answer.json()
    if answer.status_code != 200:
        return {"error": said["error"]["message"], "answer": "", "trace": ""}
    return {
        "error": "",
        "answer": said["choices"][0]["message"]["content"],
        "trace": said["trace_id"],
        "model": said["model_version"],
        "abstained": said["abstained"],
        "sources": list(dict.fromkeys(s["url"] for s in said["sources"])),
        "finish": said["choices"][0]["finish_reason"],
    }


def _rows(settings: Settings, where: str) -> Iterator[tuple[str, str]]:
    """Yield the id and the question of every row; two rows of one id are refused."""
    seen: set[str] = set()
    for number, row in enumerate(_read(settings, where), start=1):
        question = str(row.get("question") or row.get("prompt") or "").strip()
        if not question:
            raise ValueError(
                f"Row {number} of {where} has no question. Give each one, or leave the row out."
            )
        row_id = str(row.get("id") or row.get("_id") or digest("row", str(number), question))
        if row_id in seen:
            raise ValueError(f"Two rows of {where} have the id {row_id!r}. Give each its own.")
        seen.add(row_id)
        yield row_id, question


def _read(settings: Settings, where: str) -> Sequence[Record]:
    if where.startswith(COLLECTION):
        with open_documents(settings) as documents:
            return documents.batch_rows(where.removeprefix(COLLECTION))
    file = Path(where).expanduser()
    if not file.is_file():
        raise FileNotFoundError(
            f"{where} is no file. Name a .jsonl or .csv file, or {COLLECTION}NAME."
        )
    text = file.read_text(encoding="utf-8-sig")
    if file.suffix == ".csv":
        return list(csv.DictReader(text.splitlines()))
    try:
        rows = [json.loads(line) for line in text.splitlines() if line.strip()]
    except ValueError as error:
        raise ValueError(f"{where} is no JSON lines: {error}. Write one object a line.") from None
    if not all(isinstance(r, dict) for r in rows):
        raise ValueError(f"{where} holds lines that are no objects. Write one object a line.")
    return rows
