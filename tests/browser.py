"""A headless Chromium over its debugging pipe: the standard library alone drives it.

`$SEQJAX_BROWSER` or a browser on the PATH. One without a system's help is in the npm package @sparticuz/chromium
(unpack bin/chromium.br and bin/al2023.tar.br with node's zlib; put the latter's lib/ on LD_LIBRARY_PATH).
"""

import base64
import contextlib
import json
import os
import shutil
import subprocess
import threading
import time

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome", "chrome-headless-shell", "headless_shell")
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--mute-audio")
"""Not --single-process, with which Debian's ends at once."""
PATIENCE = 60


def find():
    """The browser's path, or None."""
    return os.environ.get("SEQJAX_BROWSER") or next(filter(None, map(shutil.which, NAMES)), None)


class Page:
    """A page that has been loaded."""

    def __init__(self, send, session):
        self.send, self.session = send, session

    def evaluate(self, script):
        """The JSON value of a JavaScript expression."""
        answer = self.send("Runtime.evaluate", self.session, expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait(self, script, seconds=30):
        """Until an expression is true."""
        deadline = time.monotonic() + seconds
        while not self.evaluate(f"!!({script})"):
            assert time.monotonic() < deadline, script
            time.sleep(0.05)

    def type(self, text):
        """Into what has the focus."""
        self.send("Input.insertText", self.session, text=text)

    def choose(self, selector, *files):
        """Files for an input of files."""
        root = self.send("DOM.getDocument", self.session)["root"]["nodeId"]
        node = self.send("DOM.querySelector", self.session, nodeId=root, selector=selector)["nodeId"]
        self.send("DOM.setFileInputFiles", self.session, nodeId=node, files=[str(file) for file in files])

    def look(self, width, scheme):
        """As a screen of this width, in the light or the dark."""
        screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.send("Emulation.setDeviceMetricsOverride", self.session, **screen)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.send("Emulation.setEmulatedMedia", self.session, features=features)

    def screenshot(self):
        """All of the page, as PNG bytes."""
        answer = self.send("Page.captureScreenshot", self.session, captureBeyondViewport=True)
        return base64.b64decode(answer["data"])


@contextlib.contextmanager
def opened(file, profile, width=1200, patience=PATIENCE, flags=()):
    """Open a file, or an address, in a fresh browser; yields (Page, the addresses that it asked for)."""
    to_browser, from_browser = os.pipe(), os.pipe()
    command = [
        find(),
        *FLAGS,
        *flags,
        "--remote-debugging-pipe",
        f"--user-data-dir={profile}",
        f"--window-size={width},900",
    ]
    # The browser reads its descriptor 3 and writes its descriptor 4.
    shell = f'exec "$@" 3<&{to_browser[0]} 4>&{from_browser[1]}'
    process = subprocess.Popen(
        ["bash", "-c", shell, "browser", *command],
        pass_fds=(to_browser[0], from_browser[1]),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(to_browser[0])
    os.close(from_browser[1])
    deadline = threading.Timer(patience, process.kill)
    deadline.start()
    asked, count = [], iter(range(1, 10**6))
    with os.fdopen(to_browser[1], "wb", buffering=0) as commands, os.fdopen(from_browser[0], "rb") as answers:

        def message():
            text = bytearray()
            while (byte := answers.read(1)) != b"\0":
                assert byte, "the browser has ended"
                text += byte
            found = json.loads(text)
            if found.get("method") == "Network.requestWillBeSent":
                asked.append(found["params"]["request"]["url"])
            return found

        def send(method, session=None, **parameters):
            number = next(count)
            call = {"id": number, "method": method, "params": parameters} | ({"sessionId": session} if session else {})
            commands.write(json.dumps(call).encode() + b"\0")
            while (found := message()).get("id") != number:
                pass
            assert "error" not in found, found
            return found["result"]

        try:
            target = send("Target.createTarget", url="about:blank")["targetId"]
            session = send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            send("Network.enable", session)
            send("Page.navigate", session, url=file if isinstance(file, str) else file.as_uri())
            page = Page(send, session)
            while page.evaluate("document.readyState") != "complete":
                time.sleep(0.05)
            yield page, asked
        finally:
            deadline.cancel()
            process.kill()
            process.wait()
