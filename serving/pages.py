"""The pages of the endpoint: plain files without a key, because they hold no data; their scripts ask for one."""

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse

from serving.guard import Refusal

PAGE = Path(__file__).parent / "page"
FILES = frozenset(f.name for f in PAGE.iterdir() if f.suffix != ".html")

routes = APIRouter(include_in_schema=False)


@routes.get("/")
async def chat_page() -> FileResponse:
    """Return the chat page."""
    return FileResponse(PAGE / "index.html")


@routes.get("/traces")
@routes.get("/traces/{trace_id}")
async def traces_page() -> FileResponse:
    """Return the page of what was answered; which trace it shows, its script reads from the address."""
    return FileResponse(PAGE / "traces.html")


@routes.get("/page/{name}")
async def page_file(name: str) -> FileResponse:
    """Return a script, the style sheet or the icon of the pages."""
    if name not in FILES:
        raise Refusal(404, f"The page has no file {name[:60]!r}.", "not_found")
    return FileResponse(PAGE / name)
