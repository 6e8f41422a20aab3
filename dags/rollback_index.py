"""Bring back another colour of the index: by default the one that was live before.

It holds until something new is published: later runs of build_features keep both colours up to
date, and do not publish again what was left here. `python -m include list_indexes` names the
colours that are kept.
"""

from airflow.sdk import Param, dag
from twin_airflow.verbs import BY_HAND, DEFAULT_ARGS, verb

WHICH = "The colour's name, or how it ends; empty: the one before."


@dag(
    schedule=None,
    **BY_HAND,
    default_args=DEFAULT_ARGS,
    params={"colour": Param("", type="string", description=WHICH)},
    doc_md=__doc__,
    tags=["feature"],
)
def rollback_index() -> None:
    """Wire the tasks."""
    verb("rollback_index", "{{ params.colour }}")


rollback_index()
