"""Delete one document everywhere, and prove it: a report names each place, before and after. It is never fetched again.

Datasets with it are withdrawn and models that learned from it are stale; the next dataset is built
without it, and a new model is trained on that.
"""

from airflow.sdk import Param, dag
from twin_airflow.assets import FEATURES
from twin_airflow.verbs import BY_HAND, DEFAULT_ARGS, verb


@dag(
    schedule=None,
    **BY_HAND,
    default_args=DEFAULT_ARGS,
    params={"url": Param(type="string", minLength=5, description="The document's canonical URL.")},
    doc_md=__doc__,
    tags=["feature"],
)
def forget_document() -> None:
    """Wire the tasks."""
    report = ("Erasure report", "report")
    verb("forget_document", "{{ params.url }}", page=report, outlets=[FEATURES])


forget_document()
