"""Turn changed documents into clean text, vectors and features.

Only what changed is cleaned, compared with everything for copies, cut into chunks, embedded and
measured. At the end the index is compared with what should be in it, and repaired; a lost or
doubled event changes nothing. A map of the corpus and a page of the copies are drawn last. It starts
when an ingestion has stored documents, and when the store holds documents that no run has seen.
"""

from datetime import datetime

from airflow.sdk import dag
from twin_airflow.assets import DOCUMENTS, FEATURES, UNSEEN_DOCUMENTS
from twin_airflow.verbs import DEFAULT_ARGS, verb


@dag(
    schedule=DOCUMENTS | UNSEEN_DOCUMENTS,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    doc_md=__doc__,
    tags=["feature"],
)
def build_features() -> None:
    """Wire the tasks."""
    cleaned = verb("clean_documents")
    indexed, measured = verb("index_chunks"), verb("store_features")
    reconciled = verb("reconcile_stores", outlets=[FEATURES])
    (
        cleaned
        >> [indexed, measured]
        >> reconciled
        >> [
            verb("draw_corpus", page=("Map of the corpus", "file")),
            verb("report_duplicates", page=("Copies side by side", "file")),
        ]
    )


build_features()
