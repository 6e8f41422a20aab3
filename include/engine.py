"""The batch engine: one piece of work over many ids, in this process or on Ray, results in the order of the ids.

Work is made where it is done: `make` is a function of a module (or a `partial` of one) that takes the
settings, loads what the work needs, and returns a function from a batch of ids to one result for each.
Workers read what they work on by id, so a batch is all that anybody holds in memory.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from include.settings import Settings

Result = TypeVar("Result")
Work = Callable[[Sequence[str]], Sequence[Result]]
Make = Callable[[Settings], Work[Result]]


def run_batches(
    settings: Settings, make: Make[Result], ids: Sequence[str], size: int
) -> Iterator[Result]:
    """Yield one result for each id, in the order of the ids, working on `size` of them at a time.

    TWIN_RAY_ADDRESS says where: empty in this process, otherwise on Ray. What the work raises is
    raised here. Nothing is made, and no Ray is asked, when there are no ids.
    """
    if not ids:
        return
    if settings.ray_address:
        from include.engine_ray import run_on_ray

        yield from run_on_ray(settings, make, ids, size)
    else:
        work = make(settings)
        for start in range(0, len(ids), size):
            yield from do(work, ids[start : start + size])


def do(work: Work[Result], ids: Sequence[str]) -> Sequence[Result]:
    """Do a batch; work that returns more or fewer results than it got ids is an error."""
    results = work(ids)
    if len(results) != len(ids):
        raise ValueError(
            f"{len(ids)} ids gave {len(results)} results; work returns one result for each id."
        )
    return results
