"""Recipes for a fine-tuning as files: what a search found, or what somebody wrote by hand.

recipes/<id>.yaml   base_model, dataset_id, recipe (the fields of `Recipe`), evidence
recipes/<id>.html   every trial of the search as a picture

`TWIN_RECIPE` names one by its id, or is the path of a file that need hold no more than `recipe`.
"""

from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import yaml

from include.manifests import artifacts_root, checked_id
from include.settings import Settings
from ml.files import write_whole
from ml.train import Recipe


def usual_recipe(settings: Settings) -> Recipe:
    """Return the recipe that is taken where no file names another one."""
    return Recipe(sft_steps=settings.sft_steps, dpo_steps=settings.dpo_steps, seed=settings.seed)


def recipe_of(settings: Settings) -> Recipe:
    """Return the recipe to train by: the one that TWIN_RECIPE names, or the usual one."""
    if not settings.recipe:
        return usual_recipe(settings)
    said = read_recipe(settings, settings.recipe)
    base = said.get("base_model", settings.base_model)
    if base != settings.base_model:
        raise ValueError(
            f"The recipe {settings.recipe} was found for the base model {base!r}, but TWIN_BASE_MODEL is "
            f"{settings.base_model!r}. Search again (search_recipe), or leave TWIN_RECIPE empty."
        )
    return replace(usual_recipe(settings), **_numbers(said["recipe"], settings.recipe))


def read_recipe(settings: Settings, name: str) -> dict[str, Any]:
    """Read a recipe file by its id or path."""
    is_path = "/" in name or name.endswith((".yaml", ".yml"))
    file = Path(name).expanduser() if is_path else recipe_file(settings, name)
    if not file.is_file():
        known = ", ".join(list_recipes(settings)) or "none yet: run search_recipe"
        raise LookupError(f"There is no recipe {name!r} ({file}); there are: {known}.")
    try:
        said = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} is no YAML: {error}") from error
    if not isinstance(said, dict) or not isinstance(said.get("recipe"), dict):
        raise ValueError(f"{file} holds no recipe. It needs `recipe:` and fields of it below.")
    return said


def write_recipe(settings: Settings, name: str, said: Mapping[str, object], page: str) -> Path:
    """Keep a recipe with its evidence; the file that names it is written last."""
    file = recipe_file(settings, name)
    write_whole(file.with_suffix(".html"), page)
    write_whole(file, yaml.safe_dump(dict(said), sort_keys=False, allow_unicode=True, width=100))
    return file


def recipe_file(settings: Settings, name: str) -> Path:
    """Return where a recipe is, or would be."""
    return artifacts_root(settings) / "recipes" / f"{checked_id(name)}.yaml"


def list_recipes(settings: Settings) -> list[str]:
    """List the ids of the recipes, oldest first."""
    files = (artifacts_root(settings) / "recipes").glob("[!.]*.yaml")
    return [f.stem for f in sorted(files, key=lambda f: (f.stat().st_mtime, f.stem))]


def _numbers(given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Check that a recipe holds nothing but fields of one, each of its kind."""
    usual = asdict(Recipe())
    if strange := sorted(given.keys() - {f.name for f in fields(Recipe)}):
        raise ValueError(
            f"The recipe {where} has {', '.join(strange)}, which no recipe has; the fields are {', '.join(usual)}."
        )
    for name, value in given.items():
        wanted = str if isinstance(usual[name], str) else int | float
        whole = isinstance(usual[name], int) and not isinstance(value, int)
        if value is not None and (
            isinstance(value, bool) or not isinstance(value, wanted) or whole
        ):
            raise ValueError(
                f"{name} of the recipe {where} is {value!r}; usual is {usual[name]!r}."
            )
    return dict(given)
