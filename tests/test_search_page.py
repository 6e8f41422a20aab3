"""A search for people: which trial wins, and a page that shows all of them."""

import pytest

from ml.search_page import Trial, best_trial, draw_search, ranked

USUAL = Trial("t1", {"lora_rank": 16}, ((2, 3.0), (4, 2.5), (5, 2.4)), "finished", 9.0, usual=True)
BETTER = Trial("t2", {"lora_rank": 8}, ((2, 2.8), (4, 2.2), (5, 2.1)), "finished", 9.0)
BEHIND = Trial("t3", {"lora_rank": 4}, ((2, 2.0),), "ended early", 3.0)
BROKEN = Trial("t4", {"lora_rank": 64}, (), "failed", 1.0, error="ValueError: <script>")
ALL = [USUAL, BROKEN, BEHIND, BETTER]


def test_the_best_trial_is_a_finished_one() -> None:
    assert best_trial(ALL) is BETTER
    assert [t.id for t in ranked(ALL)] == ["t2", "t1", "t3", "t4"]


def test_where_nothing_was_finished_the_furthest_are_compared() -> None:
    further = Trial("t5", {"lora_rank": 32}, ((2, 3.0), (4, 2.7)), "ended early", 3.0)

    assert best_trial([BEHIND, further, BROKEN]) is further


def test_where_nothing_was_judged_the_trials_own_words_are_said() -> None:
    with pytest.raises(RuntimeError, match="None of 1 trials was judged: ValueError: <script>"):
        best_trial([BROKEN])
    with pytest.raises(RuntimeError, match="None of 0 trials was judged: the time was too short"):
        best_trial([])


def test_the_page_shows_every_trial_and_its_curve_and_runs_nothing() -> None:
    page = draw_search(ALL, {"budget": "4 trials", "space": "<b>"})

    assert page.count("<polyline") == 3 and page.count("stroke-dasharray") == 1
    assert all(f"{t.id}" in page for t in ALL)
    assert "t2 (best)" in page and "t1 (usual)" in page and "2.1000" in page
    assert "ValueError: &lt;script&gt;" in page and "<script" not in page and "&lt;b&gt;" in page


def test_a_single_point_is_drawn_too() -> None:
    assert "<circle" in draw_search([BEHIND], {})
