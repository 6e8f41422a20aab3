"""The platform's own pages inside the Airflow UI, for whoever is logged in there; and links to them from tasks."""

from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink

from twin_airflow.settings import platform_settings

if TYPE_CHECKING:
    from fastapi import FastAPI

PREFIX = "/twin"
# What pages may do: their own scripts, and nothing with the session of the person who looks at them.
LOCKED = {
    "Content-Security-Policy": "sandbox allow-scripts allow-popups",
    "X-Content-Type-Options": "nosniff",
}


# What a person is shown who decides on a model, in Markdown; for a DAG that knows `page_address`.
DECISION = (
    "{% set v = ti.xcom_pull(task_ids='decide_promotion') %}* {{ v.reasons | join('\n* ') }}\n\n"
    "[Decision record]({{ page_address(v.report) }})"
)


class PageLink(BaseOperatorLink):
    """A button on a task that opens the page whose file the task's result names under `key`."""

    def __init__(self, title: str, key: str) -> None:
        self._title, self._key = title, key

    @property
    def name(self) -> str:
        """Return what the button says."""
        return self._title

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the page's address; empty where the task has drawn none. `ti_key` is the running task itself."""
        result = ti_key.xcom_pull(task_ids=operator.task_id)
        return page_address(result.get(self._key) if isinstance(result, dict) else None)


def page_address(file: str | None) -> str:
    """Return where the UI shows the page of a file; empty for what is none."""
    from include.drawn_pages import page_path

    path = page_path(platform_settings(), Path(file)) if file else ""
    return f"{PREFIX}/pages/{quote(path)}" if path else ""


async def pages(
    scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    """Serve the pages; made at the first request, because every process of Airflow loads plugins."""
    await _application()(scope, receive, send)


@cache
def _application() -> "FastAPI":
    from airflow.api_fastapi.core_api.security import get_user
    from fastapi import Depends, FastAPI, HTTPException
    from fastapi.responses import FileResponse, HTMLResponse

    from include.drawn_pages import draw_overview, find_page

    # Airflow mounts what a plugin brings without asking anybody who they are.
    app = FastAPI(dependencies=[Depends(get_user)], openapi_url=None, docs_url=None, redoc_url=None)

    @app.get("/")
    def overview() -> HTMLResponse:
        return HTMLResponse(draw_overview(platform_settings(), f"{PREFIX}/pages/"))

    @app.get("/pages/{path:path}")
    def page(path: str) -> FileResponse:
        try:
            return FileResponse(find_page(platform_settings(), path), headers=LOCKED)
        except LookupError as error:
            raise HTTPException(404, str(error)) from None

    return app
