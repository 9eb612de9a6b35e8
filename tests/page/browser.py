"""A headless Chromium, driven by its DevTools protocol over a pipe: no driver, no library, no open port."""

import base64
import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading
import time

NAMES = ("chromium", "chromium-browser", "google-chrome")
DEADLINE = 20.0


class NoBrowser(Exception):
    pass


class Failure(Exception):
    """The page did not do what it should."""


def find():
    for name in NAMES:
        if path := shutil.which(name):
            return path
    raise NoBrowser("there is no Chromium on this machine: `apt-get install chromium` installs it")


class Browser:
    def __init__(self):
        self.profile = tempfile.mkdtemp(prefix="drover-page-")
        to_browser, ours = os.pipe()
        theirs, from_browser = os.pipe()[::-1]
        # The protocol's ends are the descriptors 3 and 4 of the browser.
        arguments = [find(), "--headless=new", "--remote-debugging-pipe", f"--user-data-dir={self.profile}", "--no-first-run",
                     "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage", "--disable-extensions", "--disable-background-networking",
                     *(["--no-sandbox"] if os.geteuid() == 0 else []), "about:blank"]
        script = f'exec 3<&{to_browser} 4>&{theirs}; exec "$@"'
        self.process = subprocess.Popen(["bash", "-c", script, "browser", *arguments], pass_fds=(to_browser, theirs),
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(theirs)
        self.out, self.incoming = os.fdopen(ours, "wb", buffering=0), os.fdopen(from_browser, "rb")
        self.number, self.answers, self.handlers = 0, {}, {}
        self.lock = threading.Lock()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        rest = b""
        while chunk := os.read(self.incoming.fileno(), 1 << 16):
            *messages, rest = (rest + chunk).split(b"\0")
            for message in map(json.loads, messages):
                if "id" in message:
                    self.answers.pop(message["id"]).put(message)
                elif handler := self.handlers.get(message.get("sessionId")):
                    handler(message["method"], message["params"])

    def call(self, method, session=None, **params):
        with self.lock:
            self.number += 1
            number, answer = self.number, queue.Queue()
            self.answers[number] = answer
            message = {"id": number, "method": method, "params": params, **({"sessionId": session} if session else {})}
            self.out.write(json.dumps(message).encode() + b"\0")
        try:
            got = answer.get(timeout=60)
        except queue.Empty:
            raise Failure(f"the browser did not answer to {method}") from None
        if "error" in got:
            raise Failure(f"{method}: {got['error']['message']}")
        return got["result"]

    def tab(self, **options):
        return Tab(self, **options)

    def close(self):
        try:
            self.call("Browser.close")
            self.process.wait(10)
        except (Failure, OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)


class Tab:
    """A tab with a storage of its own. All that the page complains about is kept in `complaints`."""

    def __init__(self, browser, width=1280, height=860, dark=False, still=False):
        self.browser, self.complaints, self.allowed = browser, [], []
        self.asking, self.last = set(), time.monotonic()
        self.context = browser.call("Target.createBrowserContext")["browserContextId"]
        self.target = browser.call("Target.createTarget", url="about:blank", browserContextId=self.context)["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=self.target, flatten=True)["sessionId"]
        browser.handlers[self.session] = self._event
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
                    {"name": "prefers-reduced-motion", "value": "reduce" if still else "no-preference"}]
        self.call("Emulation.setEmulatedMedia", features=features)
        self.resize(width, height)

    def resize(self, width, height):
        self.width, self.height = width, height
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def call(self, method, **params):
        return self.browser.call(method, self.session, **params)

    def _event(self, method, params):
        if method == "Network.requestWillBeSent" and not params["request"]["url"].endswith("/events"):
            self.asking.add(params["requestId"])
        elif method in ("Network.loadingFinished", "Network.loadingFailed"):
            self.asking.discard(params["requestId"])
        self.last = time.monotonic() if method.startswith("Network.") else self.last
        if method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self._complain("error: " + (details.get("exception", {}).get("description") or details["text"]))
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self._complain("console: " + " ".join(str(each.get("value", each.get("description"))) for each in params["args"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self._complain(f"log: {params['entry']['text']} {params['entry'].get('url', '')}")

    def _complain(self, text):
        if not any(part in text for part in self.allowed):
            self.complaints.append(text)

    def evaluate(self, script):
        """The value of an expression, which may be a promise."""
        got = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in got:
            details = got["exceptionDetails"]
            raise Failure(f"{script[:80]}: " + (details.get("exception", {}).get("description") or details["text"]))
        return got["result"].get("value")

    def open(self, url):
        self.asking.clear()
        if error := self.call("Page.navigate", url=url).get("errorText"):
            raise Failure(f"{url} cannot be opened: {error}")
        self.until("document.readyState === 'complete'", "the page has loaded")

    def until(self, condition, meaning, deadline=DEADLINE):
        """Waits until a script's value is true."""
        end = time.monotonic() + deadline
        while True:
            try:
                if self.evaluate(f"!!({condition})"):
                    return
                last = ""
            except Failure as failure:
                last = f" ({failure})"
            if time.monotonic() > end:
                text = self.evaluate("document.body.innerText.slice(0, 600)")
                raise Failure(f"after {deadline:.0f} s it is not so that {meaning}{last}; the page says: {text!r}")
            time.sleep(0.05)

    def settle(self, pause=0.4, most=5.0):
        """Waits until no request but the event stream is under way for a while, and what came was drawn."""
        end = time.monotonic() + most
        while (self.asking or time.monotonic() - self.last < pause) and time.monotonic() < end:
            time.sleep(0.05)
        self.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))")

    def press(self, key, modifiers=0):
        """Presses a key as a person does."""
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowDown": 40, "ArrowUp": 38, "ArrowLeft": 37, "ArrowRight": 39, "Home": 36, "End": 35}
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        params = {"key": key, "modifiers": modifiers, "windowsVirtualKeyCode": codes.get(key, ord(key.upper()[0])), "text": text}
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **params)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, modifiers=modifiers)

    def type(self, text):
        self.call("Input.insertText", text=text)

    def click(self, script):
        """Clicks the element that the script finds."""
        self.until(f"{script}", f"there is {script}")
        self.evaluate(f"({script}).click()")

    def shoot(self, path, most=5200):
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": self.width, "height": min(most, max(self.height, size["height"])), "scale": 1}
        image = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(image["data"]))

    def close(self):
        self.browser.handlers.pop(self.session, None)
        self.browser.call("Target.disposeBrowserContext", browserContextId=self.context)
