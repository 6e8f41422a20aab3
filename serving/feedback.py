"""What readers say of answers: a thumb, words, and what they would have said. Learned from with consent only."""

from datetime import UTC, datetime
from typing import Annotated, Literal

import anyio.to_thread
from fastapi import APIRouter, Request
from pydantic import AfterValidator, BaseModel, Field

from ml.types import Feedback
from serving.guard import Refusal, need

routes = APIRouter()
JUDGEMENTS = {1: "up", 0: "none", -1: "down"}


def _storable(text: str) -> str:
    return text.replace("\x00", "").encode("utf-8", "replace").decode().strip()


class FeedbackRequest(BaseModel):
    """A reader's judgement of one answer; a second one by the same key replaces the first."""

    trace_id: str = Field(min_length=1, max_length=64, pattern="^[0-9a-f]+$")
    score: Literal[-1, 0, 1]
    comment: Annotated[str, Field(max_length=2_000), AfterValidator(_storable)] = ""
    # What the reader would have said instead of what the model said itself.
    edit: Annotated[str, Field(max_length=8_000), AfterValidator(_storable)] = ""
    # Whether a model may learn from this; only what a key with the scope `teach` says can be learned from.
    consent: bool = False


@routes.post("/v1/feedback", dependencies=need("feedback"))
async def feedback(request: Request, body: FeedbackRequest) -> dict[str, str]:
    """Keep a judgement of one answer."""
    twin, key = request.app.state.twin, request.state.key
    if body.consent and "teach" not in key.scopes:
        message = f"The key {key.name!r} may judge answers, but nobody may learn from it: it lacks the scope 'teach'."
        raise Refusal(403, message, "insufficient_scope")
    if await anyio.to_thread.run_sync(twin.trace, body.trace_id) is None:
        raise Refusal(404, f"No answer has the trace {body.trace_id!r}.", "not_found")
    said = (body.trace_id, body.score, body.comment, datetime.now(UTC))
    await anyio.to_thread.run_sync(
        twin.judge, Feedback(*said, edit=body.edit, by=key.name, consent=body.consent)
    )
    judgement = "edited" if body.edit else JUDGEMENTS[body.score]
    request.app.state.meters.feedback.labels(judgement).inc()
    return {"status": "kept"}
