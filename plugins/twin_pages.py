"""What Airflow finds of the platform beside its DAGs: a place in the menu for the pages that it draws."""

from airflow.plugins_manager import AirflowPlugin
from twin_airflow.pages import PREFIX, pages


class TwinPages(AirflowPlugin):
    """Registers the pages and their place in the menu."""

    name = "twin_pages"
    fastapi_apps = [{"name": "twin_pages", "app": pages, "url_prefix": PREFIX}]
    external_views = [
        {
            "name": "LLM Twin",
            "href": f"{PREFIX}/",
            "destination": "nav",
            "category": "browse",
            "url_route": "twin",
        }
    ]
