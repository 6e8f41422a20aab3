"""Aliases of models: the champion moves by roll-outs only, free names by hand, and a short name is enough."""

from pathlib import Path

import pytest
from test_registry import put_model

from include import aliases, registry
from include.settings import Settings


@pytest.fixture
def two(tmp_path: Path) -> Settings:
    world = Settings(data_dir=tmp_path / "data")
    put_model(world, "abc1")
    put_model(world, "abd2", days=1)
    return world


def test_a_name_of_ones_own_points_to_a_model_and_can_be_moved_and_removed(two: Settings) -> None:
    registry.set_alias(two, "staging", "abc1")
    registry.set_alias(two, "staging", "abd2")
    registry.set_alias(two, "for-the-talk", "abc1")
    registry.move_champion(two, "abc1")

    assert aliases.aliases(two) == {"staging": "abd2", "for-the-talk": "abc1", "champion": "abc1"}

    registry.remove_alias(two, "staging")
    assert aliases.aliases(two) == {"for-the-talk": "abc1", "champion": "abc1"}
    with pytest.raises(LookupError, match=r"no alias 'staging'; there are \['champion', 'for-the"):
        registry.remove_alias(two, "staging")


@pytest.mark.parametrize("alias", ["champion", "previous"])
def test_what_serves_is_never_moved_by_hand(two: Settings, alias: str) -> None:
    with pytest.raises(ValueError, match=f"'{alias}' is moved by a roll-out only"):
        registry.set_alias(two, alias, "abc1")
    with pytest.raises(ValueError, match=f"'{alias}' is moved by a roll-out only"):
        registry.remove_alias(two, alias)


@pytest.mark.parametrize("alias", ["", "Staging", "a b", "../up", "7up", "x" * 33])
def test_an_odd_alias_is_refused(two: Settings, alias: str) -> None:
    with pytest.raises(ValueError, match="is no alias"):
        registry.set_alias(two, alias, "abc1")


def test_an_alias_names_a_model_that_exists_and_hides_none(two: Settings) -> None:
    with pytest.raises(LookupError, match="no finished model 'nobody'"):
        registry.set_alias(two, "staging", "nobody")
    with pytest.raises(LookupError, match="is no id"):
        registry.set_alias(two, "staging", "../models/abc1")
    with pytest.raises(ValueError, match="'abc1' is the id of a model"):
        registry.set_alias(two, "abc1", "abd2")


def test_a_model_is_found_by_alias_id_or_the_beginning_of_its_id(two: Settings) -> None:
    registry.set_alias(two, "staging", "abd2")

    assert [registry.resolve_model(two, n) for n in ("staging", "abc1", "abd")] == [
        *("abd2", "abc1", "abd2")
    ]
    with pytest.raises(LookupError, match="2 models begin with 'ab'"):
        registry.resolve_model(two, "ab")
    for name in ("zz", "", "champion"):
        with pytest.raises(LookupError, match=rf"No model is '{name}'.*abc1, abd2.*\(staging\)"):
            registry.resolve_model(two, name)
