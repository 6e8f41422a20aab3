"""One request to a hostile web: bounded time, bytes and reach, whatever the address and whatever the answer."""

import gzip
import socket
import time
import zlib

import pytest
from git_server import git_serving
from web_site import refusal, web

from include.settings import Settings
from include.web import open_web
from include.wire import Refused, is_public, parse_url, resolve


@pytest.mark.parametrize(
    "host",
    (
        "127.0.0.1 127.1 2130706433 0x7f000001 0177.0.0.1 0 0.0.0.0 localhost [::1] [::] [::ffff:127.0.0.1] "
        "[64:ff9b::7f00:1] [64:ff9b:1::7f00:1] [::127.0.0.1] [2002:7f00:1::] [fe80::1] [fd00::1] 10.0.0.1 "
        "192.168.1.1 172.16.0.1 169.254.169.254 100.64.0.1 224.0.0.1 255.255.255.255 ①②⑦.0.0.1"
    ).split(),
)
def test_no_way_to_write_a_private_address_is_fetched(host, tmp_path):
    reader = open_web(Settings(data_dir=tmp_path, crawl_delay=0.0), None)

    assert refusal(reader, f"http://{host}/").reason in (
        "private-address",
        "unreachable",
        "bad-url",
    )


def test_public_addresses_are_public_and_tunnels_into_private_nets_are_not():
    assert is_public("93.184.216.34")
    assert is_public("2606:4700::1111")
    assert is_public("64:ff9b::5db8:d822")
    assert not is_public("2001:0:a00:1::f5ff:fffe")
    assert not is_public("2002:a00:1::1")


def test_an_allowed_host_is_allowed_on_its_port_only():
    allowed = frozenset({"127.0.0.1:8290"})

    assert resolve(parse_url("http://127.0.0.1:8290/"), allowed) == ["127.0.0.1"]
    for other in ("http://127.0.0.1:8291/", "http://127.1:8290/", "http://localhost:8290/"):
        with pytest.raises(Refused, match="TWIN_CRAWL_ALLOW_HOSTS"):
            resolve(parse_url(other), allowed)


def test_a_public_host_is_not_asked_on_the_port_of_another_service():
    with pytest.raises(Refused) as raised:
        resolve(parse_url("http://93.184.216.34:25/"), frozenset())
    assert raised.value.reason == "port"


def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch, tmp_path):
    """A name that is public when it is checked and private afterwards must not get through."""
    answers = iter(["93.184.216.34", "127.0.0.1", "127.0.0.1"])
    connected = []

    def rebind(host, port, *rest, **options):
        address = next(answers) if host == "rebinding.test" else host
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    def connect(self, address):
        connected.append(address)
        raise OSError("no route")

    monkeypatch.setattr(socket, "getaddrinfo", rebind)
    monkeypatch.setattr(socket.socket, "connect", connect)
    world = Settings(data_dir=tmp_path, crawl_delay=0.0, crawl_timeout=0.2)
    refusal(open_web(world, None), "http://rebinding.test/")

    assert connected == [("93.184.216.34", 80)]


def test_what_follows_a_semicolon_in_an_address_is_asked_for_too(site):
    site.pages["/a;b=1/c;d?e;f"] = "x"

    assert web(site).get(f"{site.url}/a;b=1/c;d?e;f#g").text == "x"


def test_credentials_in_an_address_are_not_sent(site):
    site.pages["/a"] = "x"

    web(site).get(site.url.replace("http://", "http://me:secret@") + "/a")

    assert "Authorization" not in site.asked[-1][1]


def send(handler, body: bytes, **headers: str) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "text/html")
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def test_compressed_pages_are_read(site):
    bare = zlib.compressobj(wbits=-15)
    forms = {
        "gzip": gzip.compress(b"text"),
        "deflate": zlib.compress(b"text"),
        "x-gzip": gzip.compress(b"te") + gzip.compress(b"xt"),
    }
    for encoding, body in forms.items():
        site.pages["/a"] = lambda h, b=body, e=encoding: send(h, b, Content_Encoding=e)
        assert web(site).get(f"{site.url}/a").body == b"text"

    raw = bare.compress(b"text") + bare.flush()
    site.pages["/a"] = lambda h: send(h, raw, Content_Encoding="deflate")
    assert web(site).get(f"{site.url}/a").body == b"text"


def test_a_compressed_bomb_is_cut_at_the_cap(site):
    bomb = gzip.compress(b"\0" * 100_000_000, 9)
    site.pages["/a"] = lambda h: send(h, bomb, Content_Encoding="gzip")

    assert refusal(web(site, crawl_max_bytes=50_000), f"{site.url}/a").reason == "too-large"


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (gzip.compress(b"x" * 999)[:-9], "gzip"),
        (b"plain", "gzip"),
        (b"x", "br"),
        (b"x", "gzip, gzip"),
    ],
)
def test_a_body_that_cannot_be_decoded_is_refused(site, body, encoding):
    site.pages["/a"] = lambda h: send(h, body, Content_Encoding=encoding)

    assert refusal(web(site), f"{site.url}/a").reason == "encoding"


def test_a_page_over_the_cap_is_refused_and_not_cut(site):
    site.pages["/a"] = "x" * 5000

    assert refusal(web(site, crawl_max_bytes=4999), f"{site.url}/a").reason == "too-large"
    assert web(site, crawl_max_bytes=5000).get(f"{site.url}/a").status == 200


def test_a_body_that_never_ends_is_ended(site):
    def endless(handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(b"x" * 10_000)
        except OSError:
            return

    site.pages["/a"] = endless

    assert refusal(web(site, crawl_max_bytes=100_000), f"{site.url}/a").reason == "too-large"


@pytest.mark.parametrize("part", ["header", "body"])
def test_a_server_that_drips_is_left_in_time(site, part):
    def drip(handler) -> None:
        start = b"HTTP/1.1 200 OK\r\n" + (b"\r\n" if part == "body" else b"X-A: ")
        try:
            handler.wfile.write(start)
            for _ in range(1200):
                handler.wfile.write(b"x")
                handler.wfile.flush()
                time.sleep(0.05)
        except OSError:
            return

    site.pages["/a"] = drip
    reader = web(site, crawl_timeout=0.5)

    started = time.monotonic()
    assert refusal(reader, f"{site.url}/a").reason == "timeout"
    assert time.monotonic() - started < 30


def test_an_allowed_host_may_have_an_authority_of_its_own(tmp_path):
    with git_serving(tmp_path, tmp_path / "keys") as server:
        host = f"127.0.0.1:{server.url.rpartition(':')[2]}"
        known = {"data_dir": tmp_path, "crawl_delay": 0.0, "crawl_allow_hosts": host}
        vouched = Settings(**known, crawl_ca_file=str(server.authority))

        refused = refusal(open_web(Settings(**known), None), f"https://{host}/a")
        assert refused.reason == "unreachable" and "certificate verify failed" in str(refused)
        assert server.asked == 0
        assert refusal(open_web(vouched, None), f"https://{host}/a").reason == "http-404"


def test_a_page_that_is_cut_off_is_refused(site):
    site.pages["/a"] = lambda h: send(h, b"half", Content_Length="100")

    assert refusal(web(site), f"{site.url}/a").reason == "protocol"


def test_a_server_that_speaks_no_http_is_refused(site):
    site.pages["/a"] = lambda h: h.wfile.write(b"SSH-2.0-OpenSSH_9\r\n\r\n")

    assert refusal(web(site), f"{site.url}/a").reason == "protocol"


@pytest.mark.parametrize("url", ["http://", "http:///a", "no address", "http://[::1", "ftp://x/"])
def test_what_is_no_address_is_refused(url, tmp_path):
    reader = open_web(Settings(data_dir=tmp_path, crawl_delay=0.0), None)

    assert refusal(reader, url).reason in ("bad-url", "scheme")
