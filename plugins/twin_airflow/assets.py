"""The names of what the pipelines hand to each other. An event on one is a hint; the stores are the truth."""

from airflow.sdk import Asset, AssetWatcher

from twin_airflow.triggers import NewDocumentsTrigger

DOCUMENTS = Asset("documents")
# What somebody else wrote, or whose event was lost: a hint from the store itself.
UNSEEN_DOCUMENTS = Asset(
    "unseen_documents", watchers=[AssetWatcher(name="new_documents", trigger=NewDocumentsTrigger())]
)
FEATURES = Asset("features")
DATASET = Asset("dataset")
CANDIDATE = Asset("candidate")
CHAMPION = Asset("champion")
