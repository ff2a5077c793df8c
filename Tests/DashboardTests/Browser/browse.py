#!/usr/bin/env python3
"""Opens pages in headless Chromium and tells what happened, as JSON.

Speaks the DevTools protocol over the browser's pipe (file descriptors 3 and 4), so it needs Python and Chromium only.

    browse.py < plan.json

plan: {"start": URL, "crawl": bool, "width", "height", "mobile": bool, "scheme": "light"|"dark", "screenshots": DIR,
       "evaluate": JS run on each page (its value is kept; a promise is awaited), "steps": [{"open": URL} | {"evaluate": JS} |
       {"wait": JS that becomes true} | {"press": KEY} | {"screenshot": FILE}]}
answer: {"pages": [{"url", "title", "overflow", "missingAnchors", "value", "type"}], "console": [...], "requests": [...], "failed": [...],
         "violations": [...], "values": [...]}
"""
import base64, json, os, select, shutil, subprocess, sys, tempfile, time

DEADLINE = 60


class Browser:
    def __init__(self):
        self.profile = tempfile.mkdtemp(prefix="assay-chromium-")
        to_read, self.to_write = os.pipe()
        self.to_listen, from_write = os.pipe()
        # The pipes have to be 3 and 4 in the browser: put aside whatever is there, then move them.
        def arrange():
            a, b = os.dup(to_read), os.dup(from_write)
            a, b = (os.dup(a) if a in (3, 4) else a), (os.dup(b) if b in (3, 4) else b)
            os.dup2(a, 3)
            os.dup2(b, 4)
            os.setsid()
        program = os.environ.get("CHROMIUM") or shutil.which("chromium") or "chromium"
        self.process = subprocess.Popen(
            [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
             "--remote-debugging-pipe", "--user-data-dir=" + self.profile, "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=arrange, close_fds=False)
        os.close(to_read)
        os.close(from_write)
        self.buffer = b""
        self.next = 0
        self.events = []

    def close(self):
        try:
            self.process.kill()
            self.process.wait()
            os.killpg(self.process.pid, 9)
        except (ProcessLookupError, PermissionError):
            pass
        shutil.rmtree(self.profile, ignore_errors=True)

    def message(self, deadline):
        while b"\0" not in self.buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.to_listen], [], [], left)[0]:
                raise TimeoutError("the browser said nothing in time")
            piece = os.read(self.to_listen, 1 << 20)
            if not piece:
                raise EOFError("the browser is gone")
            self.buffer += piece
        line, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(line)

    def call(self, method, params=None, session=None):
        self.next += 1
        request = {"id": self.next, "method": method, "params": params or {}}
        if session:
            request["sessionId"] = session
        data = json.dumps(request).encode() + b"\0"
        while data:
            data = data[os.write(self.to_write, data):]
        deadline = time.monotonic() + DEADLINE
        while True:
            message = self.message(deadline)
            if message.get("id") == request["id"]:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]
            self.events.append(message)

    def wait(self, method):
        deadline = time.monotonic() + DEADLINE
        for index, message in enumerate(self.events):
            if message.get("method") == method:
                del self.events[:index + 1]
                return message["params"]
        while True:
            message = self.message(deadline)
            if message.get("method") == method:
                return message["params"]
            self.record(message)

    def record(self, message):
        pass


class Tab:
    def __init__(self, browser, plan):
        self.browser = browser
        self.answer = {"pages": [], "console": [], "requests": [], "failed": [], "violations": [], "values": []}
        browser.record = self.record
        target = browser.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        self.session = browser.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        for domain in ["Page", "Runtime", "Log", "Network", "Audits"]:
            self.call(domain + ".enable")
        self.call("Emulation.setDeviceMetricsOverride", {
            "width": plan.get("width", 1280), "height": plan.get("height", 900), "deviceScaleFactor": 1, "mobile": plan.get("mobile", False)})
        self.call("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": plan.get("scheme", "light")}]})

    def call(self, method, params=None):
        return self.browser.call(method, params, self.session)

    def record(self, message):
        method, params = message.get("method"), message.get("params", {})
        if method == "Runtime.consoleAPICalled":
            self.answer["console"].append(params["type"] + ": " + " ".join(str(a.get("value", a.get("description"))) for a in params["args"]))
        elif method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.answer["console"].append("exception: " + details.get("text", "") + " " + details.get("exception", {}).get("description", ""))
        elif method == "Log.entryAdded":
            entry = params["entry"]
            self.answer["console"].append(f"{entry['source']} {entry['level']}: {entry['text']} {entry.get('url', '')}")
        elif method == "Network.requestWillBeSent":
            self.answer["requests"].append(params["request"]["url"])
        elif method == "Network.loadingFailed":
            self.answer["failed"].append(params.get("errorText", "") + " " + str(params.get("blockedReason", "")))
        elif method == "Audits.issueAdded":
            self.answer["violations"].append(json.dumps(params["issue"].get("details", {}))[:500])
        elif method == "Page.javascriptDialogOpening":
            self.answer["violations"].append("dialog: " + params.get("message", ""))

    def drain(self):
        for message in self.browser.events:
            self.record(message)
        self.browser.events.clear()

    def evaluate(self, script):
        result = self.call("Runtime.evaluate", {"expression": script, "returnByValue": True, "awaitPromise": True})
        if "exceptionDetails" in result:
            raise RuntimeError(f"{script}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def open(self, url):
        self.drain()
        went = self.call("Page.navigate", {"url": url})
        if "errorText" in went:
            self.answer["failed"].append(f"{url}: {went['errorText']}")
            return False
        if "loaderId" in went:
            self.browser.wait("Page.loadEventFired")
        self.drain()
        return True

    def until(self, script):
        deadline = time.monotonic() + DEADLINE
        while not self.evaluate(script):
            if time.monotonic() > deadline:
                raise TimeoutError("this did not become true: " + script)
            time.sleep(0.02)

    def press(self, key):
        keys = {"Tab": 9, "Enter": 13, "ArrowDown": 40}
        event = {"key": key, "code": key, "windowsVirtualKeyCode": keys[key]}
        if key == "Enter":
            event["text"] = "\r"
        self.call("Input.dispatchKeyEvent", dict(event, type="keyDown" if key == "Enter" else "rawKeyDown"))
        self.call("Input.dispatchKeyEvent", dict(event, type="keyUp"))

    def screenshot(self, file, whole=False):
        params = {"format": "png"}
        if whole:
            size = self.call("Page.getLayoutMetrics")["cssContentSize"]
            params.update({"captureBeyondViewport": True, "clip": {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 6000), "scale": 1}})
        with open(file, "wb") as out:
            out.write(base64.b64decode(self.call("Page.captureScreenshot", params)["data"]))

    PAGE = """(() => ({
        url: location.href, title: document.title, type: document.contentType,
        overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
        links: [...document.querySelectorAll('a[href]')].map((a) => a.href),
        headings: document.querySelectorAll('h1').length,
        missingAnchors: [...document.querySelectorAll('a[href^="#"]')].map((a) => a.getAttribute('href').slice(1)).filter((id) => !document.getElementById(id)),
    }))()"""


def main():
    plan = json.load(sys.stdin)
    browser = Browser()
    try:
        tab = Tab(browser, plan)
        if "start" in plan:
            base = plan["start"].rsplit("/", 1)[0] + "/"
            queue, seen = [plan["start"]], {plan["start"]}
            while queue:
                url = queue.pop(0)
                if not tab.open(url):
                    continue
                page = tab.evaluate(Tab.PAGE)
                links = page.pop("links")
                page["external"] = [link for link in links if not link.startswith(base)]
                if "evaluate" in plan:
                    page["value"] = tab.evaluate(plan["evaluate"])
                tab.answer["pages"].append(page)
                if plan.get("crawl"):
                    for link in links:
                        link = link.split("#")[0]
                        if link.startswith(base) and link not in seen:
                            seen.add(link)
                            queue.append(link)
        for step in plan.get("steps", []):
            if "open" in step:
                tab.open(step["open"])
            if "wait" in step:
                tab.until(step["wait"])
            if "press" in step:
                tab.press(step["press"])
            if "evaluate" in step:
                tab.answer["values"].append(tab.evaluate(step["evaluate"]))
            if "screenshot" in step:
                tab.screenshot(step["screenshot"], step.get("whole", False))
        tab.drain()
        json.dump(tab.answer, sys.stdout)
    finally:
        browser.close()


main()
