"""The installation: what is run, how often it is tried, and that a second time costs nothing."""

import hashlib
import sys

import pytest

from include import install
from include.settings import ROOT

LOCK = """\
alpha==1.0 \\
    --hash=sha256:aa
    # via torch
nvidia-cublas==13.0 \\
    --hash=sha256:bb
torch==2.13.0 \\
    --hash=sha256:cc
torchmetrics==1.0 \\
    --hash=sha256:dd
triton==3.4 \\
    --hash=sha256:ee
"""


@pytest.fixture
def lock(tmp_path):
    (tmp_path / "requirements.txt").write_text(LOCK)
    return tmp_path / "requirements.txt"


def test_what_is_installed_is_not_installed_again(tmp_path, lock):
    mark = hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / f".installed-{mark}").touch()
    assert not install.install(tmp_path)


def test_packages_are_checked_by_hash_and_compiled(tmp_path, lock):
    (tmp_path / "uv").touch()
    python = str(tmp_path / "python")
    by_uv = install.install_command(python, lock, 1, alone=False)
    by_pip = install.install_command(python, lock, install.ATTEMPTS, alone=False)
    assert by_uv[0] == str(tmp_path / "uv")
    assert "--compile-bytecode" in by_uv
    assert by_pip[:3] == [python, "-m", "pip"]
    assert "--compile" in by_pip
    assert "--require-hashes" in by_uv
    assert "--require-hashes" in by_pip


def test_a_later_attempt_asks_the_index_anew(tmp_path, lock):
    (tmp_path / "uv").touch()
    python = str(tmp_path / "python")
    assert "--refresh" not in install.install_command(python, lock, 1, alone=False)
    assert "--refresh" in install.install_command(python, lock, 2, alone=False)


def test_with_an_index_for_torch_the_lock_is_used_without_torch_and_cuda(tmp_path, lock):
    target = install._without_torch(lock, tmp_path / "cpu.txt")
    assert [line.split("==")[0] for line in target.read_text().splitlines() if "==" in line] == [
        "alpha",
        "torchmetrics",
    ]
    command = install.torch_command("python", tmp_path, "https://index.example/cpu")
    assert command[-1] == "torch==2.13.0"
    assert "https://index.example/cpu" in command


def test_a_package_that_the_lock_does_not_pin_is_named(lock):
    assert install.locked_version(lock, "alpha") == "1.0"
    with pytest.raises(ValueError, match="does not pin beta. Run `make lock`"):
        install.locked_version(lock, "beta")


def test_what_fails_is_tried_again_and_then_told(monkeypatch):
    monkeypatch.setattr(install, "PAUSE_SECONDS", 0)
    tried = []

    def command(attempt):
        tried.append(attempt)
        return [sys.executable, "-c", f"import sys; sys.exit({int(attempt < 3)})"]

    install._insist(command)
    assert tried == [1, 2, 3]
    with pytest.raises(OSError, match="4 attempts.*package index"):
        install._insist(lambda attempt: [sys.executable, "-c", "import sys; sys.exit(1)"])


def test_the_lock_pins_everything_with_hashes_and_names_no_place():
    text = (ROOT / "requirements.txt").read_text()
    pins = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert all("==" in pin and pin.endswith("\\") for pin in pins)
    assert "://" not in text
    wanted = [w for w in (ROOT / "requirements.in").read_text().split() if "==" in w]
    for pin in wanted:
        name, version = pin.split("==")
        found = install.locked_version(ROOT / "requirements.txt", name.split("[")[0])
        assert found == version
