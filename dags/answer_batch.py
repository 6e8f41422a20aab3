"""Answer many questions through the endpoint, from a file or a collection; the answers go to MongoDB.

A file is JSON lines or CSV with a column `question` and, if you like, `id`; `collection:NAME` reads
records of MongoDB. Started again, it goes on: what is answered is not asked again, but for another
question, model or length under the same id. The answers are in the collection `batch_answers`: find them by
`batch` and `row`, each with what was asked, its sources, its model and its trace; the last `at` is the newest.
It takes as long as it takes: seconds for each row.
"""

from airflow.sdk import Param, dag
from twin_airflow.verbs import BY_HAND, DEFAULT_ARGS, verb


@dag(
    schedule=None,
    **BY_HAND,
    default_args=DEFAULT_ARGS | {"execution_timeout": None},
    params={
        "where": Param(
            type="string",
            minLength=1,
            description="A .jsonl or .csv file on this machine, or collection:NAME.",
        ),
        "batch": Param("", type="string", description="Its name; empty: that of the file."),
        "model": Param("twin", type="string", description="twin, twin@<version>, a base model."),
        "max_tokens": Param(96, type="integer", minimum=1, maximum=512),
    },
    doc_md=__doc__,
    tags=["serving"],
)
def answer_batch() -> None:
    """Wire the tasks."""
    form = ("where", "batch", "model", "max_tokens")
    verb("answer_batch", *(f"{{{{ params.{name} }}}}" for name in form))


answer_batch()
