"""What a judge's word is worth: one language model, and four judges whose faults are known because we made them.

`make bench-judge`: a world of its own, its pairs of an author's words and the same words ironed flat, and the tiny twin
behind the platform's own endpoint, in this process. Every judge is asked about the same pairs, in both orders and once
more. Who answers by chance, takes the longer text or whatever is named first shows whether the figures find that out;
who was told the truth shows whether they accuse anybody else. A coin is right in both orders one time in four.
"""

import random
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from include import registry
from include.judging import asking
from include.llm import open_llm
from include.settings import ROOT, Settings, load_settings
from ml.judge import AskJudge, Choice, Pair, biases, judge_pairs, known_pairs, sum_up
from ml.tiny import pretrain_tiny
from ml.types import Message

sys.path.insert(0, str(ROOT / "tests"))
from serving_world import answering_world, published_world

# Truth stands left and right, and is longer and shorter, in rounds of four pairs.
PAIRS, ROUND = 48, 4
AGREES = ("same_in_both_orders", "same_when_asked_again")


def main() -> None:
    """Print a row for each judge."""
    with tempfile.TemporaryDirectory() as folder, world_of_pairs(Path(folder)) as world:
        dataset = registry.read_model(*world).dataset_id
        pairs, author = known(world[0], dataset)
        table = Table("judge", "pairs", "correct", "first place", "length", "both orders", "again")
        for heading in ("ties", "failed"):
            table.add_column(heading)
        for name, judge in made_judges(pairs).items():
            add_row(table, name, pairs, author, judge)
        with twin_as_judge(*world) as judge:
            add_row(table, "the tiny twin", pairs, author, judge)
    Console(width=120).print(table)


@contextmanager
def world_of_pairs(folder: Path) -> Iterator[tuple[Settings, str]]:
    """Publish a model on the tiny base, with the dataset that it learned from."""
    base = pretrain_tiny(load_settings().cache_dir)
    with published_world(folder, base, llm_calls=10_000) as world:
        yield world


def known(world: Settings, dataset_id: str) -> tuple[list[Pair], str]:
    """Take pairs whose truth is known, and a passage for the voice: short ones, as the tiny twin reads 1,024 tokens."""
    found = registry.read_preferences(world, dataset_id)
    found = sorted(found, key=lambda p: len(p.chosen) + len(p.rejected))[:PAIRS]
    made = [(p.messages[-1].content, p.chosen, p.rejected) for p in found]
    said = [e.messages[-1].content for e in registry.read_examples(world, dataset_id)]
    return known_pairs(made[: len(made) // ROUND * ROUND]), min(said, key=len)


def made_judges(pairs: Sequence[Pair]) -> dict[str, AskJudge]:
    """Make the judges whose faults are known."""
    own = {p.left if p.truth == "left" else p.right for p in pairs}
    coin = random.Random(7)
    return {
        "told the truth": choosing(lambda first, second: first in own),
        "a coin": choosing(lambda first, second: coin.random() < 0.5),
        "the longer one": choosing(lambda first, second: len(first.split()) > len(second.split())),
        "the first one": choosing(lambda first, second: True),
    }


def choosing(rule: Callable[[str, str], bool]) -> AskJudge:
    """Make a judge that takes the first of two answers by a rule, and the second otherwise."""

    def judge(messages: Sequence[Message], take: int) -> Choice:
        said = messages[-1].content
        first, second = re.findall(r"<answer [AB]>\n(.*?)\n</answer [AB]>", said, re.DOTALL)
        return Choice(reason="by a rule", better="A" if rule(first, second) else "B")

    return judge


@contextmanager
def twin_as_judge(world: Settings, model_id: str) -> Iterator[AskJudge]:
    """Let a model of a world judge through the platform's own endpoint."""
    with answering_world(world, model_id) as endpoint:
        asked = {"llm_url": f"{endpoint.url}/v1", "serve_url": endpoint.url}
        with open_llm(world.model_copy(update=asked)) as llm:
            yield asking(llm)


def add_row(table: Table, name: str, pairs: Sequence[Pair], author: str, judge: AskJudge) -> None:
    """Let a judge judge, and add what that showed."""
    judged = judge_pairs(pairs, author, judge, control_length=False)
    found = {**sum_up(judged), **biases(judged)}
    shares = (f"{found['right']:.2f}", f"{found['first_place']:+.2f}", f"{found['length']:+.2f}")
    agrees = (f"{found[k]:.2f}" for k in AGREES)
    counts = (f"{found[k]:.0f}" for k in ("tie", "failed"))
    table.add_row(name, f"{found['pairs']:.0f}", *shares, *agrees, *counts)


if __name__ == "__main__":
    main()
