"""A real browser for tests: Chromium without a window, asked over its own protocol."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

START_SECONDS, WAIT_SECONDS = 30.0, 30.0


class Browser:
    """One tab. What its console or the browser itself complains about is kept in `complaints`."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._asked = socket, 0
        self.complaints: list[str] = []
        for part in ("Page", "Runtime", "Log"):
            self.ask(f"{part}.enable")

    def ask(self, method: str, **parameters: object) -> dict:
        """Send a command and wait for what comes of it."""
        self._asked += 1
        self._socket.send(json.dumps({"id": self._asked, "method": method, "params": parameters}))
        while True:
            said = json.loads(self._socket.recv(timeout=WAIT_SECONDS))
            if said.get("id") == self._asked:
                return said["result"]
            self._note(said)

    def run(self, script: str) -> object:
        """Run a script in the page; returns its value, promises awaited."""
        asked = {"expression": script, "awaitPromise": True, "returnByValue": True}
        found = self.ask("Runtime.evaluate", **asked)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait(self, script: str) -> None:
        """Wait until a script says true."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not self.run(f"Boolean({script})"):
            assert time.monotonic() < deadline, f"never true: {script}; {self.complaints}"
            time.sleep(0.02)

    def show(self, url: str, *, width: int = 1000, dark: bool = False) -> None:
        """Open an address in a window of some width, in the light or in the dark."""
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            **{"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500},
        )
        mode = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[mode])
        self.ask("Page.navigate", url=url)
        self.wait(f"location.href === {json.dumps(url)} && document.readyState === 'complete'")

    def press(self, key: str) -> None:
        """Press and let go of a key."""
        text = {"text": "\r"} if key == "Enter" else {}
        code = {"Enter": 13, "Tab": 9}[key]
        for kind in ("keyDown", "keyUp"):
            said = {"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code}
            self.ask("Input.dispatchKeyEvent", **said, **(text if kind == "keyDown" else {}))

    def strike(self, keys: str) -> None:
        """Strike a key for each character, as parts of a date want it."""
        for key in keys:
            for kind in ("keyDown", "keyUp"):
                self.ask(
                    "Input.dispatchKeyEvent",
                    **({"text": key} if kind == "keyDown" else {}),
                    **{"type": kind, "key": key, "windowsVirtualKeyCode": ord(key)},
                )

    def write(self, text: str) -> None:
        """Write into what has the focus."""
        self.ask("Input.insertText", text=text)

    def _note(self, said: dict) -> None:
        found = said.get("params", {})
        if said["method"] == "Runtime.exceptionThrown":
            self.complaints.append(str(found["exceptionDetails"]))
        entry = found.get("entry", {})
        if said["method"] == "Log.entryAdded" and entry["level"] in ("error", "warning"):
            self.complaints.append(f"{entry['text']} {entry.get('url', '')}")


@contextmanager
def browsing(folder: Path) -> Iterator[Browser]:
    """Open a browser with a profile of its own; skips the test where there is none."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium on this machine (Debian: apt install chromium)")
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync")
    process = subprocess.Popen(
        [program, *options, f"--user-data-dir={folder}", "--remote-debugging-port=0"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        port = _port(folder / "DevToolsActivePort", process)
        tabs = httpx.get(f"http://127.0.0.1:{port}/json", trust_env=False).json()
        address = next(t["webSocketDebuggerUrl"] for t in tabs if t["type"] == "page")
        with connect(address, max_size=None, proxy=None) as socket:
            yield Browser(socket)
    finally:
        process.terminate()
        process.wait()


def _port(file: Path, process: subprocess.Popen) -> int:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, "the browser ended"
        if file.exists() and (text := file.read_text()):
            return int(text.split()[0])
        time.sleep(0.05)
    raise AssertionError("the browser does not listen")
