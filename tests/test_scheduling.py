"""A test run whose worker crashes tells which test it was, runs all others, and ends."""

import subprocess
import sys
from pathlib import Path

import pytest

CRASH = "def test_crash():\n    import os\n    os.kill(os.getpid(), 9)\n"


def fine(*names):
    return "".join(f"def test_{name}(): assert True\n" for name in names)


@pytest.mark.parametrize(
    "files",
    [
        {
            "one": fine("a", "b") + CRASH + fine("c"),
            "two": fine("a"),
            "three": fine("a"),
            "four": fine("a", "b"),
        },
        {"one": CRASH, "two": fine("a"), "three": fine("a", "b", "c")},
        {"one": fine("a") + CRASH, "two": CRASH + fine("a"), "three": fine("a")},
    ],
    ids=["in the middle", "at first", "twice"],
)
def test_a_worker_that_crashes_costs_its_test_alone(tmp_path, files):
    for name, text in files.items():
        (tmp_path / f"test_{name}.py").write_text(text)
    (tmp_path / "conftest.py").write_text(
        f"import sys\nsys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from scheduling import pytest_xdist_make_scheduler as pytest_xdist_make_scheduler\n"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    told = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-n", "2"),
            *("--dist", "loadfile", "--no-loadscope-reorder"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
    )

    crashes = sum(text.count(CRASH) for text in files.values())
    passed = sum(text.count("def ") for text in files.values()) - crashes
    assert told.stdout.splitlines()[-1].startswith(f"{crashes} failed, {passed} passed"), (
        told.stdout
    )
