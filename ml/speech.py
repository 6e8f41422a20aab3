"""An answer as it comes out of an engine: whole characters, up to a stop text, and why it ended."""

from collections.abc import Iterator, Sequence

# What a decoder shows in place of bytes that are no character yet.
INCOMPLETE = "\ufffd"


class Speech(Iterator[str]):
    """An answer as it comes, piece by piece: so far of how many `tokens`, and in the end why it ended.

    `finish` is `length` where it was cut at its limit, else `stop`. `ids` are the tokens so far, None where
    the engine does not tell all of them. Given to another `stream` as `said`, they are read and not made again:
    it repeats their text and goes on after them.
    """

    def __init__(self, said: Sequence[int] = ()) -> None:
        self.pieces: Iterator[str] = iter(())
        self.finish = "stop"
        self.tokens = len(said)
        self.ids: list[int] | None = list(said)

    def __next__(self) -> str:
        return next(self.pieces)


def room_for(prompt: Sequence[int], context: int, name: str) -> int:
    """Return how many tokens may follow a prompt; one that leaves no room is refused."""
    if len(prompt) < context:
        return context - len(prompt)
    raise ValueError(
        f"The question and its notes are {len(prompt)} tokens long, but the model {name} reads "
        f"{context} at most. Ask something shorter or with fewer notes."
    )


def hold_back(pieces: Iterator[str], stop: Sequence[str]) -> Iterator[str]:
    """Pass text on up to the first stop string; what may be the beginning of one waits."""
    waiting = ""
    for piece in pieces:
        waiting += piece
        found = [at for s in stop if (at := waiting.find(s)) >= 0]
        if found:
            if min(found):
                yield waiting[: min(found)]
            return
        keep = max((_overlap(waiting, s) for s in stop), default=0)
        if len(waiting) > keep:
            yield waiting[: len(waiting) - keep]
            waiting = waiting[len(waiting) - keep :]
    if waiting:
        yield waiting


def whole_characters(pieces: Iterator[str]) -> Iterator[str]:
    """Pass text on, but for bytes at its very end that are no character."""
    waiting = ""
    for piece in pieces:
        waiting += piece
        if whole := waiting.rstrip(INCOMPLETE):
            yield whole
            waiting = waiting[len(whole) :]


class Strip:
    """Passes an answer on, piece by piece, as `str.strip` leaves the whole of it."""

    def __init__(self) -> None:
        self._begun, self._space = False, ""

    def feed(self, piece: str) -> str:
        """Take a piece; returns what may be said of it and of the space before it."""
        text = self._space + piece if self._begun else piece.lstrip()
        said = text.rstrip()
        self._begun = self._begun or bool(said)
        self._space = text[len(said) :]
        return said


def _overlap(text: str, stop: str) -> int:
    """Return how many characters at the end of a text are the beginning of a stop string."""
    return next((n for n in range(len(stop) - 1, 0, -1) if text.endswith(stop[:n])), 0)
