"""One HTTP request to a checked address, within given bytes and time. No manners and no memory here (see web.py).

The name is resolved once, every address that it has must be public, and the connection goes to that
very address: a second look-up could answer differently. Environment proxies are not used.
"""

import socket
import ssl
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import httpcore
import httpx

CONNECT_SECONDS = 5.0
# Ports of other services are nobody's web site.
PORTS = (80, 443)
# IPv6 forms that carry an IPv4 address in their last 32 bits: NAT64, its local form, IPv4-compatible.
_CARRIERS = tuple(map(ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "::/96")))


class Refused(ConnectionError):
    """Raised for a page that was not got. `reason` is a short code, the message a sentence."""

    def __init__(self, reason: str, url: str, sentence: str, status: int = 0) -> None:
        super().__init__(sentence)
        self.reason, self.url, self.status = reason, url, status

    def __reduce__(self) -> tuple[type["Refused"], tuple[str, str, str, int]]:
        """Tell how it is made again in another process."""
        return type(self), (self.reason, self.url, str(self), self.status)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered: header names in lower case, the body decoded."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a request may go. `deadline` is a moment of the monotonic clock.

    `allowed` hosts (host, or host:port) need not be public, and `ca_file` may name who vouches for them; with `cut`, a
    long body is cut instead of refused.
    """

    allowed: frozenset[str]
    deadline: float
    max_bytes: int
    cut: bool = False
    ca_file: str = ""


def request(url: str, headers: Mapping[str, str], limits: Limits) -> Reply:
    """Ask once."""
    target = parse_url(url)
    backend = _Pinned(resolve(target, limits.allowed), limits.deadline)
    context = _trust(target, limits) if target.scheme == "https" else None
    own = {"Accept-Encoding": "gzip, deflate", "Connection": "close"}
    named = list({"Host": target.netloc.decode(), **headers, **own}.items())
    pool = httpcore.ConnectionPool(context, network_backend=backend)
    # In parts: written as one, httpcore would leave out what follows a semicolon.
    parts = httpcore.URL(
        scheme=target.raw_scheme, host=target.raw_host, port=target.port, target=target.raw_path
    )
    with _in_words(url), pool, pool.stream("GET", parts, headers=named) as got:
        read = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in got.headers}
        return Reply(got.status, read, _body(url, read, got.iter_stream(), limits))


@contextmanager
def _in_words(url: str) -> Iterator[None]:
    """Say what went wrong on the wire."""
    try:
        yield
    except httpcore.TimeoutException:
        said = f"{url} took too long; TWIN_CRAWL_TIMEOUT is the limit."
        raise Refused("timeout", url, said) from None
    except (httpcore.ProtocolError, httpcore.UnsupportedProtocol) as error:
        raise Refused("protocol", url, f"{url} did not answer in proper HTTP: {error}") from None
    except httpcore.NetworkError as error:
        raise Refused("unreachable", url, f"{url} cannot be reached: {error}") from None


def _trust(target: httpx.URL, limits: Limits) -> ssl.SSLContext:
    """Trust the public authorities, or for an allowed host those of the file that vouches for it."""
    if limits.ca_file and is_allowed(target, limits.allowed):
        return ssl.create_default_context(cafile=limits.ca_file)
    return httpcore.default_ssl_context()


def parse_url(url: str) -> httpx.URL:
    """Read an address; only http and https are known here."""
    try:
        target = httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError, ValueError) as error:
        raise Refused("bad-url", url, f"{url[:200]!r} is no address of a page: {error}") from None
    if target.scheme not in ("http", "https") or not target.host:
        raise Refused("scheme", url, f"{url[:200]!r} is not fetched: only http and https are.")
    return target.copy_with(fragment=None, userinfo=b"")


def resolve(target: httpx.URL, allowed: frozenset[str]) -> list[str]:
    """Look up the addresses of a host, and refuse it when one of them is not on the public internet."""
    url, host = str(target), target.raw_host.decode("ascii").strip("[]")
    port = _port(target)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Refused("unreachable", url, f"The host of {url} has no address: {error}") from None
    addresses = list(dict.fromkeys(str(entry[4][0]).split("%")[0] for entry in found))
    if is_allowed(target, allowed):
        return addresses
    hint = "If you trust it, add host:port to TWIN_CRAWL_ALLOW_HOSTS."
    if private := [a for a in addresses if not is_public(a)]:
        raise Refused(
            "private-address",
            url,
            f"{url} leads to {private[0]}, not to the public internet. {hint}",
        )
    if port not in PORTS:
        raise Refused("port", url, f"{url} is on port {port}; only 80 and 443 are fetched. {hint}")
    return addresses


def is_allowed(target: httpx.URL, allowed: frozenset[str]) -> bool:
    """Tell whether a host may be reached wherever it is."""
    host = target.host.lower()
    return bool({host, f"{host}:{_port(target)}"} & allowed)


def _port(target: httpx.URL) -> int:
    return target.port or (443 if target.scheme == "https" else 80)


def is_public(address: str) -> bool:
    """Tell whether an address, and every address that it carries inside, is on the public internet."""
    known = ip_address(address)
    return all(
        a.is_global and not a.is_multicast
        for a in (_carried(known) if isinstance(known, IPv6Address) else [known])
    )


def inflate(chunks: Iterable[bytes], encoding: str, limit: int) -> Iterator[bytes]:
    """Undo gzip or deflate without ever holding more than `limit` bytes at once."""
    if encoding in ("", "identity"):
        yield from chunks
    elif encoding in ("gzip", "x-gzip", "deflate"):
        yield from _decompress(chunks, limit)
    else:
        raise ValueError(f"content encoding {encoding!r} is not known")


def _decompress(chunks: Iterable[bytes], limit: int) -> Iterator[bytes]:
    stream, rest = None, b""
    for chunk in chunks:
        rest += chunk
        while rest:
            if stream is None or stream.eof:
                stream = zlib.decompressobj(_window(rest))
            yield stream.decompress(rest, limit)
            rest = stream.unconsumed_tail or stream.unused_data
            if stream.eof and not rest.startswith(b"\x1f\x8b"):
                return
    if stream is not None and not stream.eof:
        raise EOFError("the compressed body ends too early")


def _window(start: bytes) -> int:
    """Tell gzip and zlib, which name themselves, from bare deflate."""
    named = start[:2] == b"\x1f\x8b" or start[0] & 0x0F == zlib.DEFLATED
    return 32 + zlib.MAX_WBITS if named else -zlib.MAX_WBITS


def _body(url: str, headers: Mapping[str, str], chunks: Iterable[bytes], limits: Limits) -> bytes:
    """Read a body while it stays within its bytes and time, decoded ones and those on the wire."""
    body = bytearray()
    announced = headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limits.max_bytes and not limits.cut:
        raise Refused("too-large", url, _too_large(url, limits))
    encoding = headers.get("content-encoding", "").strip().lower()
    try:
        for part in inflate(_timely(url, chunks, limits), encoding, limits.max_bytes + 1):
            body += part
            if len(body) > limits.max_bytes and limits.cut:
                return bytes(body[: limits.max_bytes])
            if len(body) > limits.max_bytes:
                raise Refused("too-large", url, _too_large(url, limits))
    except (zlib.error, EOFError, ValueError) as error:
        raise Refused("encoding", url, f"The body of {url} cannot be decoded: {error}") from None
    return bytes(body)


def _timely(url: str, chunks: Iterable[bytes], limits: Limits) -> Iterator[bytes]:
    read = 0
    for chunk in chunks:
        read += len(chunk)
        if time.monotonic() > limits.deadline:
            raise httpcore.ReadTimeout("too slow")
        if read > limits.max_bytes and not limits.cut:
            raise Refused("too-large", url, _too_large(url, limits))
        yield chunk


def _too_large(url: str, limits: Limits) -> str:
    return f"{url} is larger than {limits.max_bytes} bytes; TWIN_CRAWL_MAX_BYTES is the limit."


def _carried(address: IPv6Address) -> list[IPv4Address | IPv6Address]:
    """Unwrap an IPv6 address: what it carries is where the connection may end up."""
    if address.ipv4_mapped:
        return [address.ipv4_mapped]
    carried: list[IPv4Address | IPv6Address] = [address]
    if address.sixtofour:
        carried.append(address.sixtofour)
    if address.teredo:
        carried += address.teredo
    if any(address in network for network in _CARRIERS):
        carried.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return carried


class _Pinned(httpcore.NetworkBackend):
    """Connect to addresses that were checked, whatever the name says by now."""

    def __init__(self, addresses: list[str], deadline: float) -> None:
        self._addresses, self._deadline = addresses, deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Try the addresses one after the other."""
        failure: Exception = httpcore.ConnectError("it has no address")
        for address in self._addresses:
            patience = min(CONNECT_SECONDS, _left(self._deadline))
            try:
                plain = httpcore.SyncBackend().connect_tcp(address, port, patience)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _Bounded(plain, self._deadline)
        raise httpcore.ConnectError(str(failure))


class _Bounded(httpcore.NetworkStream):
    """A stream that ends at a moment, however little it reads at a time."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream, self._deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what comes before the end."""
        return self._stream.read(max_bytes, _left(self._deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write before the end."""
        self._stream.write(buffer, _left(self._deadline))

    def close(self) -> None:
        """Close the stream."""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """Speak TLS from here on, within the same end."""
        secure = self._stream.start_tls(ssl_context, server_hostname, _left(self._deadline))
        return _Bounded(secure, self._deadline)

    def get_extra_info(self, info: str) -> object:
        """Ask the stream about itself."""
        return self._stream.get_extra_info(info)


def _left(deadline: float) -> float:
    """Return the seconds until a moment, or end what waits for it."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise httpcore.ReadTimeout("too slow")
    return seconds
