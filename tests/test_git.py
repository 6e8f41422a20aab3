"""A git repository gives what its author wrote, and nothing in it is ever run."""

import random
import socket
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from git_server import HOST, git_serving

from include.crawlers import repository
from include.crawlers.repository import copy_repository, read_head
from include.settings import ROOT
from include.sources import crawl
from ml.types import Author, Document, Source

MAREN = Author("maren-oduya", "Maren Oduya", ("maren@oduya.example",))
TOBIAS = Author("tobias-reck", "Tobias Reck", ("tobias@reck.example",))
CODE = "def splice(a, b):\n\n\n    return a + b  # a rope\n"
WHY = "The old knot kept half of the strength; a splice keeps nine tenths of it, and can be undone with one hand."


class Work:
    """A repository to commit to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *command: str, author: Author = MAREN, day: int = 1) -> str:
        name, email = author.name, author.emails[0]
        identity = {
            f"GIT_{role}_{k}": v
            for role in ("AUTHOR", "COMMITTER")
            for k, v in (("NAME", name), ("EMAIL", email))
        }
        date = f"2026-03-{day:02}T12:00:00+00:00"
        environment = {"PATH": "/usr/bin:/bin", "GIT_CONFIG_GLOBAL": "/dev/null", **identity}
        environment |= {
            "GIT_AUTHOR_DATE": date,
            "GIT_COMMITTER_DATE": date,
            "HOME": str(self.folder),
        }
        done = subprocess.run(
            ["git", *command], cwd=self.folder, env=environment, check=True, capture_output=True
        )
        return done.stdout.decode().strip()

    def commit(
        self, message: str, files: dict[str, str | bytes], author: Author = MAREN, day: int = 1
    ) -> str:
        for name, content in files.items():
            file = self.folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
        self.git("add", "--all", "--force")
        self.git("commit", "--quiet", "--message", message, author=author, day=day)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def work(tmp_path):
    return Work(tmp_path / "work")


def source(where: Path | str, author: Author = MAREN, **options: str) -> Source:
    return Source(
        "code",
        author,
        "git",
        str(where),
        "yes, 2026",
        {"web_url": "https://c.example/r", **options},
    )


def named(found: list[Document]) -> dict[str, Document]:
    return {d.url.removeprefix("https://c.example/r/"): d for d in found}


def test_files_notes_and_messages_of_the_author_become_documents(settings, documents, work):
    sha = work.commit(
        f"Splice ropes\n\n{WHY}\n\nSigned-off-by: M <m@x.example>",
        {"rope.py": CODE, "docs/a.md": "# Why\n\nSo."},
    )

    found = named(crawl(settings, source(work.folder), documents).documents)

    assert set(found) == {"blob/HEAD/rope.py", "blob/HEAD/docs/a.md", f"commit/{sha}"}
    code, note, message = (
        found[k] for k in ("blob/HEAD/rope.py", "blob/HEAD/docs/a.md", f"commit/{sha}")
    )
    assert (code.kind, code.text, code.language, code.title) == ("code", CODE, "code", "rope.py")
    assert (note.kind, note.title, note.text) == ("article", "Why", "So.")
    assert (message.kind, message.title) == ("post", "Splice ropes")
    assert message.text == f"Splice ropes\n\n{WHY}"
    assert code.published_at == datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_file_is_whose_lines_are_in_the_majority(settings, documents, work):
    work.commit("a", {"mine.py": CODE * 5, "theirs.py": "x = 1\n"})
    work.commit("b", {"theirs.py": "x = 1\n" + "y = 2\n" * 9}, TOBIAS, day=2)
    work.commit("c", {"mine.py": CODE * 5 + "z = 3\n"}, TOBIAS, day=3)
    work.git("mv", "mine.py", "moved.py")
    work.commit("d", {}, TOBIAS, day=4)

    mine = named(crawl(settings, source(work.folder), documents).documents)
    theirs = named(crawl(settings, source(work.folder, TOBIAS), documents).documents)

    assert set(mine) == {"blob/HEAD/moved.py"}
    assert mine["blob/HEAD/moved.py"].published_at == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert set(theirs) == {"blob/HEAD/theirs.py"}


def test_an_author_may_be_known_by_names_too(settings, documents, work):
    nameless = Author("maren-oduya", "Maren Oduya")
    work.commit(f"Splice\n\n{WHY}", {"mine.py": CODE})
    work.commit(f"Cut\n\n{WHY}", {"theirs.py": CODE * 2}, TOBIAS, day=2)

    place = source(work.folder, nameless, names="moduya, maren oduya")
    found = crawl(settings, place, documents).documents

    assert {d.title for d in found} == {"mine.py", "Splice"}


def test_foreign_generated_binary_and_large_files_are_left_out(settings, documents, work):
    (work.folder / "link.py").symlink_to("/etc/passwd")
    work.commit(
        "a",
        {
            "vendor/a.py": CODE,
            "node_modules/x/a.js": "x()",
            "third_party/a.c": "int x;",
            "LICENSE.md": "MIT",
            "api_pb2.py": CODE,
            "made.py": f"# Code generated by a machine. DO NOT EDIT.\n{CODE}",
            "a.min.js": "x()",
            "flat.js": "x" * 5000,
            "bytes.py": b"\x00\x01" * 99,
            "latin.py": "é".encode("latin-1"),
            "big.py": "x = 1\n" * 30_000,
            "data.csv": "a,b",
            ".github/a.sh": "ls",
            "empty.py": "",
            "kept.py": CODE,
            "Makefile": "all:\n\ttrue\n",
        },
    )

    assert set(named(crawl(settings, source(work.folder), documents).documents)) == {
        "blob/HEAD/kept.py",
        "blob/HEAD/Makefile",
    }


def test_short_messages_and_those_of_others_are_no_posts(settings, documents, work):
    work.commit("Fix", {"a.py": CODE})
    work.commit(f"Short body\n\n{WHY[:40]}", {"a.py": CODE * 2})
    work.commit(f"Theirs\n\n{WHY}", {"b.py": CODE}, TOBIAS)

    found = crawl(settings, source(work.folder), documents).documents
    assert [d for d in found if d.kind == "post"] == []


def test_a_repository_that_did_not_move_is_not_read_again(settings, documents, work, monkeypatch):
    work.commit("a", {"a.py": CODE, "b.py": CODE})
    documents.put(crawl(settings, source(work.folder), documents).documents)

    with monkeypatch.context() as patched:
        patched.setattr("include.crawlers.git.copy_repository", None)
        again = crawl(settings, source(work.folder), documents)
    assert (again.documents, again.unchanged, again.gone) == ([], 2, [])

    (work.folder / "b.py").unlink()
    work.commit("b", {"a.py": CODE * 2})
    moved = crawl(settings, source(work.folder), documents)
    assert ([d.title for d in moved.documents], len(moved.gone)) == (["a.py"], 1)


def test_a_crawl_that_was_killed_before_it_stored_reads_again(settings, documents, work):
    work.commit("a", {"a.py": CODE})

    assert len(crawl(settings, source(work.folder), documents).documents) == 1
    assert len(crawl(settings, source(work.folder), documents).documents) == 1


def test_a_bundle_and_a_bare_repository_are_read(settings, documents, work, tmp_path):
    work.commit("a", {"a.py": CODE})
    work.git("bundle", "create", str(tmp_path / "a.bundle"), "HEAD", "main")
    work.git("clone", "--quiet", "--bare", str(work.folder), str(tmp_path / "bare.git"))

    for where in ("a.bundle", "bare.git"):
        assert len(crawl(settings, source(tmp_path / where), documents).documents) == 1


def test_the_history_of_the_demo_has_two_authors(settings, documents, tmp_path):
    history = ROOT / "demo" / "code" / "history.fastexport"
    bare = tmp_path / "demo.git"
    subprocess.run(
        ["git", "init", "--quiet", "--bare", "--initial-branch=main", str(bare)], check=True
    )
    with history.open("rb") as stream:
        subprocess.run(["git", "-C", str(bare), "fast-import", "--quiet"], stdin=stream, check=True)

    both = [
        named(crawl(settings, source(bare, author), documents).documents)
        for author in (MAREN, TOBIAS)
    ]

    assert all({d.kind for d in found.values()} >= {"code", "post"} for found in both)
    assert not both[0].keys() & both[1].keys()


def test_nothing_in_a_repository_is_run(settings, documents, work, tmp_path):
    trap = tmp_path / "ran"
    script = f"#!/bin/sh\ntouch {trap}\n"
    work.commit(
        "a",
        {"a.py": CODE, ".gitattributes": "* filter=trap diff=trap\n", ".gitmodules": "[submodule]"},
    )
    for hook in ("post-checkout", "post-upload-pack", "reference-transaction", "pre-receive"):
        file = work.folder / ".git" / "hooks" / hook
        file.write_text(script)
        file.chmod(0o755)
    (tmp_path / "trap.sh").write_text(script)
    (tmp_path / "trap.sh").chmod(0o755)
    for key in (
        "core.fsmonitor",
        "filter.trap.smudge",
        "diff.trap.textconv",
        "core.pager",
        "uploadpack.packObjectsHook",
    ):
        work.git("config", key, str(tmp_path / "trap.sh"))

    assert len(crawl(settings, source(work.folder), documents).documents) == 1
    assert not trap.exists()


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("ext::sh -c touch% /tmp/x", "no git repository"),
        ("--upload-pack=touch /tmp/x", "no git repository"),
        ("git@host.example:x.git", "no git repository"),
        ("ssh://host.example/x.git", "only http and https"),
        ("http://host.example/x.git", "https"),
        ("https://127.0.0.1/x.git", "not to the public internet"),
        ("https://169.254.169.254/x.git", "not to the public internet"),
        ("/nowhere/at/all", "no git repository"),
    ],
)
def test_what_is_no_place_for_a_repository_is_a_sentence(settings, documents, where, said):
    with pytest.raises((ConnectionError, ValueError), match=said):
        crawl(settings, source(where), documents)


def test_a_folder_that_is_no_repository_and_an_empty_one_are_sentences(
    settings, documents, tmp_path
):
    (tmp_path / "plain").mkdir()
    with pytest.raises(ConnectionError, match="git ls-remote failed"):
        crawl(settings, source(tmp_path / "plain"), documents)

    empty = Work(tmp_path / "empty")
    with pytest.raises(ValueError, match="no commits"):
        crawl(settings, source(empty.folder), documents)


def test_an_author_without_addresses_cannot_be_found_in_git(settings, documents, work):
    work.commit("a", {"a.py": CODE})

    with pytest.raises(ValueError, match="no `emails`"):
        crawl(settings, source(work.folder, Author("a", "A")), documents)


def test_a_repository_that_is_too_large_or_too_slow_is_left(settings, work, monkeypatch):
    work.commit("a", {"a.bin": b"".join(bytes([i % 251]) * (i % 97) for i in range(90_000))})
    assert read_head(settings, str(work.folder))

    monkeypatch.setattr(repository, "MAX_BYTES", 100)
    with (
        pytest.raises(ConnectionError, match="more than 100 bytes"),
        copy_repository(settings, source(work.folder)),
    ):
        pass
    monkeypatch.setattr(repository, "SECONDS", 0.0)
    with pytest.raises(ConnectionError, match="more than 0 seconds"):
        read_head(settings, str(work.folder))


@pytest.fixture
def served(settings, work, tmp_path, monkeypatch):
    """Serve the repository over https; returns the world that may read it, the source, and the server."""
    work.commit(
        f"Splice ropes\n\n{WHY}",
        {"rope.py": CODE, "ballast.bin": random.Random(1).randbytes(400_000)},
    )
    work.commit("theirs", {"theirs.py": CODE * 2}, TOBIAS)
    look_up = socket.getaddrinfo

    def known(host: str, *rest: object, **named: object) -> list:
        return look_up("127.0.0.1" if host == HOST else host, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", known)
    with git_serving(tmp_path, tmp_path / "keys") as server:
        hosts = {"crawl_allow_hosts": server.url.removeprefix("https://")}
        world = settings.model_copy(update={**hosts, "crawl_ca_file": str(server.authority)})
        yield world, source(f"{server.url}/work/.git"), server


def test_over_https_only_the_author_s_own_is_read_and_next_time_only_news_is_fetched(
    served, documents, work
):
    world, place, server = served

    found = crawl(world, place, documents)
    documents.put(found.documents)
    first, server.sent, server.asked = server.sent, 0, 0
    assert {d.title for d in found.documents} == {"rope.py", "Splice ropes"}
    assert first > 400_000

    again = crawl(world, place, documents)
    assert (again.documents, again.unchanged) == ([], 2)
    assert server.sent < 2_000, "an unmoved HEAD is asked for, and nothing else"

    server.sent = 0
    work.commit("More", {"knot.py": CODE * 3}, day=9)
    assert [d.title for d in crawl(world, place, documents).documents] == ["knot.py"]
    assert 0 < server.sent < 10_000


def test_history_that_was_rewritten_there_is_followed(served, documents, work):
    world, place, _ = served
    crawl(world, place, documents)

    work.git("checkout", "--quiet", "--orphan", "anew")
    work.git("rm", "--quiet", "-r", "--cached", ".")
    (work.folder / "rope.py").unlink()
    work.commit("anew", {"anew.py": CODE * 4})
    work.git("branch", "--force", "main", "HEAD")
    found = crawl(world, place, documents)

    assert {d.title for d in found.documents} == {"anew.py", "theirs.py"}, "all of it is hers now"


@pytest.mark.parametrize("how", ["nobody vouches", "not allowed", "another authority"])
def test_a_server_that_cannot_be_trusted_is_not_read(served, documents, how, tmp_path):
    world, place, server = served
    other = ""
    if how == "another authority":
        with git_serving(tmp_path, tmp_path / "other") as stranger:
            other = str(stranger.authority)
    changed = {
        "nobody vouches": {"crawl_ca_file": ""},
        "not allowed": {"crawl_allow_hosts": ""},
        "another authority": {"crawl_ca_file": other},
    }[how]

    with pytest.raises(ConnectionError, match="certificate|not to the public internet"):
        crawl(world.model_copy(update=changed), place, documents)
    assert server.asked == 0


def test_what_is_fetched_over_https_is_bounded_and_a_spoilt_copy_is_begun_anew(
    served, documents, work, monkeypatch
):
    world, place, _ = served
    kept = world.data_dir / "git" / "code.git"
    with monkeypatch.context() as patched:
        patched.setattr(repository, "MAX_BYTES", 100_000)
        with pytest.raises(ConnectionError, match="git fetch was ended: .*more than 100000 bytes"):
            crawl(world, place, documents)
    assert list(kept.parent.iterdir()) == []

    crawl(world, place, documents)
    (kept / "HEAD").write_bytes(b"")
    work.commit("More", {"knot.py": CODE * 3}, day=9)
    with pytest.raises(ConnectionError, match="git .* failed"):
        crawl(world, place, documents)
    assert {d.title for d in crawl(world, place, documents).documents} >= {"knot.py", "rope.py"}
