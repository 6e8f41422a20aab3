"""The story of the platform: its verbs, in the order in which they happen.

Every verb takes the settings of one world, may be run twice, and returns counts and ids. A verb
begins from what is stored, never from an event: what is right already is left alone.

    list_sources → crawl_source → store_documents → check_ingestion          include/ingestion.py
    clean_documents                                                          include/cleaning.py
    index_chunks                                                             include/indexing.py
    list_indexes, rollback_index                                             include/publishing.py
    fit_ranking                                                              include/ranking.py
    store_features                                                           include/measuring.py
    reconcile_stores                                                         include/reconciling.py
    draw_corpus                                                              include/drawing.py
    report_duplicates                                                        include/duplicates.py
    answer_prompts                                                           include/model_answers.py
    build_dataset                                                            include/datasets.py
    check_dataset                                                            include/foreign.py
    next_dataset → train_model                                               include/learning.py
    evaluate_model → decide_promotion → …                                    include/evaluation.py
    search_recipe · compare_runs                            include/searching.py, include/comparing.py
    judge_models                                                             include/judging.py
    compare_training                                                         include/worth.py
    list_quarantine → release_quarantined → replay_quarantined               include/quarantine.py
    forget_document · forget_source                                          include/forgetting.py
"""

import inspect
from collections.abc import Callable
from importlib import import_module

# Where the verbs are told; the first module that has a name is the one.
STORY = (
    "include.ingestion",
    "include.cleaning",
    "include.indexing",
    "include.publishing",
    "include.ranking",
    "include.measuring",
    "include.reconciling",
    "include.drawing",
    "include.duplicates",
    "include.model_answers",
    "include.datasets",
    "include.foreign",
    "include.learning",
    "include.evaluation",
    "include.searching",
    "include.comparing",
    "include.judging",
    "include.worth",
    "include.quarantine",
    "include.forgetting",
)


def verbs() -> dict[str, Callable[..., object]]:
    """Name the verbs in the story's order: the public functions that take the settings first."""
    found: dict[str, Callable[..., object]] = {}
    for name in STORY:
        module = import_module(name)
        for key, value in vars(module).items():
            if inspect.isfunction(value) and _is_verb(key, value, module.__name__):
                found.setdefault(key, value)
    return found


def _is_verb(name: str, value: Callable[..., object], module: str) -> bool:
    first = next(iter(inspect.signature(value).parameters), "")
    return not name.startswith("_") and value.__module__ == module and first == "settings"
