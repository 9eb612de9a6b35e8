"""What must be so of every view, and how to say that it is not: each raises `Failure` with what is wrong."""

import gzip
import json
import time

from browser import DEADLINE, Failure
from mock import PAGE

MOST_BYTES = 100_000
WAIT = "new Promise(done => requestAnimationFrame(() => setTimeout(done, 50)))"

# Every element that has text of its own, with the colours it is really seen in.
CONTRAST = """(() => {
  const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
  const rgba = (text) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data]; };
  const part = (value) => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const ground = (node) => { for (; node; node = node.parentElement) { const colour = rgba(getComputedStyle(node).backgroundColor); if (colour[3] === 255) return colour; } return [255, 255, 255]; };
  const poor = [];
  for (const node of document.querySelectorAll('body *')) {
    if (node.closest('noscript, [hidden], .sr, .skip, details:not([open]) > :not(summary), button:disabled, .off, datalist, option')) continue;
    if (![...node.childNodes].some((child) => child.nodeType === 3 && child.nodeValue.trim()) || !node.getClientRects().length) continue;
    const style = getComputedStyle(node);
    const inside = node.closest('.node')?.querySelector('rect');
    const text = rgba(node instanceof SVGElement ? style.fill : style.color);
    const under = inside ? rgba(getComputedStyle(inside).fill) : ground(node);
    const [a, b] = [light(text), light(under)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) poor.push(`${ratio.toFixed(2)} ${node.nodeName}.${node.getAttribute('class') ?? ''} "${node.textContent.slice(0, 30)}"`);
  }
  return [...new Set(poor)].slice(0, 6);
})()"""

NAMELESS = """[...document.querySelectorAll('button, a[href], input, select')].filter((node) =>
  !(node.getAttribute('aria-label') || node.textContent.trim() || node.closest('label')?.textContent.trim())).map((node) => node.outerHTML.slice(0, 120))"""

WIDE = """[...document.querySelectorAll('body *')].filter((node) => node.getBoundingClientRect().right > innerWidth + 1
  && !node.closest('.table-box, .graph-box, pre, .log-box, .timeline-box, .skip')).slice(0, 4).map((node) => node.outerHTML.slice(0, 160))"""


def must(so, meaning):
    if not so:
        raise Failure(meaning)


def wait_for(condition, meaning, deadline=DEADLINE):
    end = time.monotonic() + deadline
    while not condition():
        must(time.monotonic() < end, f"after {deadline:.0f} s it is not so that {meaning}")
        time.sleep(0.05)


def no_complaints(tab):
    must(not tab.complaints, "the page complained: " + "; ".join(tab.complaints[:4]))


def no_overflow(tab):
    width = tab.evaluate("document.documentElement.scrollWidth")
    must(width <= tab.width, f"the page is {width} px wide on a screen of {tab.width}: {tab.evaluate(WIDE)}")


def enough_contrast(tab):
    poor = tab.evaluate(CONTRAST)
    must(not poor, f"contrast below 4.5: {'; '.join(poor)}")


def named(tab):
    nameless = tab.evaluate(NAMELESS)
    must(not nameless, f"controls without a name: {nameless}")


def small():
    kinds = {}
    for file in PAGE.rglob("*"):
        if file.is_file():
            kinds[file.suffix] = kinds.get(file.suffix, b"") + file.read_bytes()
    total = sum(len(gzip.compress(content, 1)) for content in kinds.values())
    must(total <= MOST_BYTES, f"the page's files are {total:,} bytes when compressed, more than {MOST_BYTES:,}")
    return f"{total:,} bytes compressed"


def answer(tab, path, token):
    """What the API answers, or a failure that says how it refused."""
    headers = json.dumps({"Authorization": f"Bearer {token}"} if token else {})
    got = tab.evaluate(f"""fetch('/api/v1{path}', {{ headers: {headers} }})
        .then(async (answer) => ({{ status: answer.status, body: await answer.json() }}))""")
    must(got["status"] == 200, f"GET /api/v1{path} answered {got['status']}: {json.dumps(got['body'])}")
    return got["body"]


def opened(browser, mock, path, ready="document.querySelector('main h1')", **options):
    tab = browser.tab(**options)
    tab.open(mock.base + path)
    tab.until(ready, f"{path} is shown")
    return tab


def text(tab, selector="main"):
    return tab.evaluate(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")


def button(name):
    return f"[...document.querySelectorAll('button')].find((each) => each.textContent === {json.dumps(name)})"


def job_of(mock, state):
    return next(job for job in mock.world.jobs if job.state == state)
