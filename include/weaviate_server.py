"""How a Weaviate server is reached: its address, whether it is ready, and its errors in Python's own words."""

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
from weaviate.exceptions import WeaviateBaseError

# The client logs each object that a server does not take, with its text and vector. Why is told by the error.
logging.getLogger("weaviate-client").setLevel(logging.CRITICAL)

READY_SECONDS = 2.0
GRPC_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class Server:
    """Where a Weaviate listens: HTTP on `port`, questions and batches on `grpc_port`."""

    host: str
    port: int
    grpc_port: int

    def __str__(self) -> str:
        return f"weaviate://{self.host}:{self.port}"


def ask_health(server: Server) -> None:
    """Ask whether the server is ready: the client alone would wait for half a minute."""
    url = f"http://{server.host}:{server.port}/v1/.well-known/ready"
    try:
        httpx.get(url, timeout=READY_SECONDS, trust_env=False).raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ConnectionError(
            f"No Weaviate is ready at {server}: start it with `make up`, or set TWIN_VECTORS_URL. "
            f"({type(error).__name__}: {str(error).partition(chr(10))[0]})"
        ) from None


@contextmanager
def talking(server: Server) -> Iterator[None]:
    """Turn the client's exceptions into Python's own, and a server that is gone into one at once.

    The client tries for a minute to reach a gRPC port that nobody listens on; no question may hang that long.
    """
    try:
        socket.create_connection((server.host, server.grpc_port), timeout=GRPC_SECONDS).close()
    except OSError as error:
        raise ConnectionError(
            f"Nothing answers on gRPC port {server.grpc_port} of {server}: start it with `make up`, "
            f"or set TWIN_WEAVIATE_GRPC_PORT. ({error})"
        ) from None
    try:
        yield
    except (WeaviateBaseError, httpx.HTTPError) as error:
        if getattr(error, "status_code", None) in (401, 403):
            raise PermissionError(
                f"Weaviate at {server} does not accept the key; set TWIN_VECTORS_API_KEY. ({error})"
            ) from None
        raise ConnectionError(f"Weaviate at {server} could not do it: {error}") from error
