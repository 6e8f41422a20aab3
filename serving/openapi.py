"""The API described: an OpenAPI document with its key, its errors and its extensions, and a page without scripts."""

from html import escape
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, JSONResponse

# Routes that ask for no key.
OPEN = ("/healthz", "/readyz")
ERRORS = {
    "400": "The request cannot be read, or asks for what is not done; the message says which.",
    "401": "No key, or an unknown one.",
    "403": "The key lacks the scope.",
    "404": "There is no such thing.",
    "411": "A body without a Content-Length.",
    "413": "A body over 256 KB.",
    "429": "Too much at once, or too many tokens today; Retry-After says when to come back.",
    "503": "No model is loaded, or a part is away; Retry-After says when to come back.",
}
ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        }
    },
}

routes = APIRouter()


@routes.get("/openapi.json", include_in_schema=False)
async def document(request: Request) -> JSONResponse:
    """Return the OpenAPI document."""
    return JSONResponse(describe_api(request.app))


@routes.get("/docs", include_in_schema=False)
async def page(request: Request) -> HTMLResponse:
    """Return the document for people."""
    return HTMLResponse(_page(describe_api(request.app)))


def describe_api(api: FastAPI) -> dict[str, Any]:
    """Describe every route, with what FastAPI cannot know: keys, and errors in OpenAI's shape."""
    if api.openapi_schema:
        return api.openapi_schema
    described = get_openapi(title=api.title, version=api.version, routes=api.routes)
    parts = described.setdefault("components", {})
    parts.setdefault("schemas", {})["Error"] = ERROR
    for unused in ("HTTPValidationError", "ValidationError"):
        parts["schemas"].pop(unused, None)
    parts["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    for path, operations in described["paths"].items():
        for operation in operations.values():
            operation["responses"].pop("422", None)
            operation["responses"] |= _errors()
            operation["security"] = [] if path in OPEN else [{"key": []}]
    api.openapi_schema = described
    return described


def _errors() -> dict[str, object]:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {status: {"description": said, "content": content} for status, said in ERRORS.items()}


def _page(described: dict[str, Any]) -> str:
    rows = [
        f"<tr><td>{method.upper()}</td><td><code>{escape(path)}</code></td>"
        f"<td>{escape(operation.get('description', ''))}</td><td>{_fields(described, operation)}</td></tr>"
        for path, operations in described["paths"].items()
        for method, operation in operations.items()
    ]
    errors = [f"<li>{status}: {escape(said)}</li>" for status, said in ERRORS.items()]
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>API of the twin</title>"
        "<link rel=stylesheet href=/page/twin.css><main><h1>API of the twin</h1>"
        "<p>Send <code>Authorization: Bearer …</code>. For programs: <a href=/openapi.json>openapi.json</a>.</p>"
        f"<table><tr><th>method<th>path<th>does<th>body</tr>{''.join(rows)}</table>"
        f"<h2>Errors</h2><ul>{''.join(errors)}</ul></main></html>"
    )


def _fields(described: dict[str, Any], operation: dict[str, Any]) -> str:
    """List the fields of an operation's body."""
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    name = body.get("schema", {}).get("$ref", "").rpartition("/")[2]
    schema = described["components"]["schemas"].get(name, {})
    needed = set(schema.get("required", ()))
    return ", ".join(
        f"<b>{escape(f)}</b>" if f in needed else escape(f) for f in schema.get("properties", ())
    )
