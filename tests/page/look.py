"""Looks at the page in a real, headless Chromium: every view, light, dark and on a phone, by mouse and by keyboard.

    python3 tests/page/look.py --mock                     against the stand-in, at 3 and at 1,000,000 datums, with all that is promised
    python3 tests/page/look.py --base http://127.0.0.1:8080 [--token-env DROVER_TOKEN]     against a running `drover serve`

Screenshots are written to `--into FOLDER`. Exits with 0 if all is well, 1 if a look found something, 2 for wrong
arguments, 3 if there is no Chromium.
"""

import argparse
import json
import os
import sys
import tempfile
import traceback
from pathlib import Path

sys.dont_write_bytecode = True  # nothing is to be left in the source tree

import checks
from browser import Browser, Failure, NoBrowser
from mock import Mock
from promises import PROMISES

LOOKS = [("light", {}), ("dark", {"dark": True}), ("phone", {"width": 360, "height": 780, "still": True})]
SIZES = (3, 1_000_000)
READY = "document.querySelector('main h1') && !document.querySelector('main').innerText.includes('Asking …') && !document.querySelector('main').innerText.includes('Looking …')"


class Report:
    """What was looked at, and what was found."""

    def __init__(self, only):
        self.only, self.passed, self.failed = only, 0, 0

    def look(self, name, work, *given):
        if self.only and self.only not in name:
            return
        try:
            note = work(*given)
        except Failure as failure:
            self.fail(name, str(failure))
        except Exception:
            self.fail(name, traceback.format_exc())
        else:
            self.passed += 1
            print(f"ok      {name}{f': {note}' if note else ''}", flush=True)

    def fail(self, name, why):
        self.failed += 1
        print(f"FAILED  {name}: {why}", flush=True)


def look_at(browser, base, path, folder, name, options, token):
    """Opens one view, shoots it, and fails on whatever the page or the browser complains about."""
    tab = browser.tab(**options)
    try:
        sign_in(tab, base, token)
        if path == "/nowhere":
            tab.allowed.append("404")
        tab.open(base + path)
        tab.until(READY, f"{path} shows its facts")
        tab.until("document.getElementById('connection').innerText === 'live'", "it is live")
        tab.settle()
        tab.shoot(folder / f"{name}.png")
        checks.no_overflow(tab)
        checks.enough_contrast(tab)
        checks.named(tab)
        checks.no_complaints(tab)
    finally:
        tab.close()


def sign_in(tab, base, token):
    if token:
        tab.allowed.append("401")
        tab.open(base + "/page/icon.svg")
        tab.evaluate(f"sessionStorage.setItem('drover.token', {json.dumps(token)})")


def views_of(browser, base, token):
    """The address of each view, for what there is: asked of the API by the browser."""
    tab = browser.tab()
    try:
        sign_in(tab, base, token)
        tab.open(base + "/")
        ask = lambda path: checks.answer(tab, path, token)
        pipelines, jobs = ask("/pipelines")["pipelines"], ask("/jobs?limit=20")["jobs"]
        views = {"overview": "/", "jobs": "/jobs", "workers": "/workers", "missing": "/nowhere", "files": "/files", "actions": "/audit", "new": "/pipelines"}
        if pipelines:
            views["pipeline"] = f"/pipelines/{pipelines[0]['pipeline']}"
            views["edit"] = f"/pipelines/{pipelines[0]['pipeline']}/edit"
        for state in {job["state"] for job in jobs}:
            job = next(job for job in jobs if job["state"] == state)
            views[f"job-{state}"] = f"/jobs/{job['job']}"
            if state == "failure":
                views["changes"] = f"/jobs/{job['job']}/changes"
            if job["datums"]["total"] and state in ("failure", "success"):
                failed = ask(f"/jobs/{job['job']}/failures")["groups"]
                index = failed[0]["samples"][0] if failed else 0
                views[f"datum-{state}"] = f"/jobs/{job['job']}/datums/{index}"
        return views
    finally:
        tab.close()


def look_at_all(report, browser, base, folder, label, token=None):
    try:
        views = views_of(browser, base, token)
    except Failure as failure:
        return report.fail(label or base, str(failure))
    for view, path in sorted(views.items()):
        for look, options in LOOKS:
            name = "-".join(filter(None, [label, view, look]))
            report.look(name, look_at, browser, base, path, folder, name, options, token)


def look_at_mocks(report, browser, folder):
    report.look("assets are small", checks.small)
    empty = Mock(empty=True).start()
    look_at_all(report, browser, empty.base, folder, "empty")
    for size in SIZES:
        look_at_all(report, browser, Mock(size=size).start().base, folder, str(size))
    for name, check in PROMISES.items():
        report.look(name, check, browser, folder)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    which = options.add_mutually_exclusive_group(required=True)
    which.add_argument("--mock", action="store_true", help="look at the stand-in")
    which.add_argument("--base", metavar="URL", help="look at a running `drover serve`")
    options.add_argument("--token-env", metavar="NAME", help="the variable that holds the token for --base")
    options.add_argument("--into", metavar="FOLDER", type=Path, help="where the screenshots go; by default a new temporary folder")
    options.add_argument("--only", metavar="TEXT", help="only the looks whose name contains this")
    given = options.parse_args()
    folder = given.into or Path(tempfile.mkdtemp(prefix="drover-page-shots-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        browser = Browser()
    except NoBrowser as missing:
        print(missing, file=sys.stderr)
        return 3
    report = Report(given.only)
    try:
        if given.mock:
            look_at_mocks(report, browser, folder)
        else:
            token = os.environ.get(given.token_env or "", None)
            look_at_all(report, browser, given.base.rstrip("/"), folder, "", token)
    finally:
        browser.close()
    print(f"screenshots: {folder}")
    print(f"{report.passed} passed, {report.failed} failed")
    return 1 if report.failed or not report.passed else 0


if __name__ == "__main__":
    sys.exit(main())
