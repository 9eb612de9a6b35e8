"""What is promised of the page as it is used: one function a promise, against the stand-in. Each raises `Failure`."""

import json
import time

from checks import button, job_of, must, no_complaints, opened, text, wait_for
from mock import Mock


def paging_a_million(browser, folder):
    mock = Mock(size=1_000_000).start()
    job = job_of(mock, "failure")
    tab = opened(browser, mock, f"/jobs/{job.id}", "document.querySelectorAll('#datums tbody tr').length === 100")
    for page in range(2, 30):
        tab.click(button("Next"))
        tab.until(f"document.querySelector('.pager span').textContent === 'Page {page}' && !document.querySelector('#datums').innerText.includes('Looking') && document.querySelectorAll('#datums tbody tr').length === 100", f"page {page} is shown")
    must("from 2,800 to 2,899" in text(tab, "#datums"), "page 29 does not show its rows: " + text(tab, "#datums .note"))
    tab.call("HeapProfiler.collectGarbage")
    heap = tab.call("Runtime.getHeapUsage")["usedSize"]
    must(heap < 16 << 20, f"the page holds {heap:,} bytes after 29 pages")
    nodes = tab.evaluate("document.querySelectorAll('*').length")
    tab.click(button("Previous"))
    tab.until("document.querySelector('.pager span').textContent === 'Page 28'", "one can go back")
    no_complaints(tab)
    tab.close()
    return f"{heap / 1e6:.1f} MB of heap, {nodes:,} elements"


def searching_a_million(browser, folder):
    mock = Mock(size=1_000_000).start()
    job = job_of(mock, "failure")
    tab = opened(browser, mock, f"/jobs/{job.id}", "document.querySelectorAll('#datums tbody tr').length === 100")
    tab.press("/")
    must(tab.evaluate("document.activeElement.matches('[data-search]')"), "`/` does not focus the search")
    tab.type("IMG-0987654")
    tab.until("document.querySelector('#datums').innerText.includes('Looking')", "it says that it is looking")
    tab.shoot(folder / "search-looking.png")
    tab.until("document.querySelectorAll('#datums tbody tr').length === 1 && document.querySelector('#datums').innerText.includes('1,000,000 of 1,000,000 datums looked at')", "the one datum is found among a million", 60)
    asked = [path for _, _, path in mock.requests if "0987654" in path]
    must(len(asked) >= 6, f"the server was asked {len(asked)} times")
    must(tab.evaluate("location.search").lower() == "?path=img-0987654", "the search is not in the address")
    must(tab.evaluate("document.querySelector('[data-search]').value") == "IMG-0987654", "what was typed is gone")
    no_complaints(tab)
    tab.close()
    return f"{len(asked)} requests"


def filters_narrow(browser, folder):
    mock = Mock(size=1_000_000).start()
    job = job_of(mock, "failure")
    tab = opened(browser, mock, f"/jobs/{job.id}?state=failed", "document.querySelectorAll('#datums tbody tr').length === 100")
    states = tab.evaluate("[...new Set([...document.querySelectorAll('#datums tbody .badge')].map((each) => each.lastChild.nodeValue))]")
    must(states == ["failed"], f"the filter by state shows {states}")
    tab.click("[...document.querySelectorAll('.causes button.link')][0]")
    tab.until("location.search === '?group=0' && document.querySelectorAll('#datums tbody tr').length === 100", "a group lists its datums")
    tab.until("[...document.querySelectorAll('#datums tbody .reason')].every((each) => each.textContent.startsWith('exit 1'))", "only the datums of the group are listed")
    tab.click(button("Clear"))
    tab.until("location.search === '' && document.querySelector('#datums').innerText.includes('of 1,000,000')", "clearing shows all")
    no_complaints(tab)
    tab.close()


def keyboard_alone(browser, folder):
    mock = Mock(size=3).start()
    tab = opened(browser, mock, "/", "document.querySelector('main table a')")
    tab.press("Tab")
    must(tab.evaluate("document.activeElement.className") == "skip", "the first stop is not the skip link")
    tab.press("Enter")
    must(tab.evaluate("location.hash") == "#main", "the skip link leads nowhere")
    for _ in range(30):
        tab.press("Tab")
        if tab.evaluate("document.activeElement.closest('tbody') !== null"):
            break
    must(tab.evaluate("document.activeElement.closest('tbody') !== null"), "Tab does not reach the table")
    must(tab.evaluate("parseFloat(getComputedStyle(document.activeElement).outlineWidth) >= 2"), "the focus can't be seen")
    tab.press("ArrowDown")
    must(tab.evaluate("document.activeElement.textContent") == "thumbs", "the arrow keys do not walk the rows")
    tab.press("Enter")
    tab.until("location.pathname === '/pipelines/thumbs' && document.querySelector('main h1')?.innerText.includes('thumbs')", "Enter opens the row")
    must(tab.evaluate("document.activeElement.id") == "main", "the focus does not follow to the new view")
    tab.press("j")
    tab.until("location.pathname === '/jobs' && document.querySelector('main tbody a')", "`j` shows the jobs")
    tab.press("?")
    tab.until("document.querySelector('dialog[open]')", "`?` shows the keys")
    tab.shoot(folder / "keys.png")
    for _ in range(4):
        tab.press("Tab")
        must(tab.evaluate("document.activeElement === document.body || document.activeElement.closest('dialog') !== null"), "the focus left the dialog")
    tab.press("Escape")
    tab.until("!document.querySelector('dialog')", "Escape closes the dialog")
    no_complaints(tab)
    tab.close()


def readings_by_keyboard(browser, folder):
    mock = Mock(size=1_000_000).start()
    tab = opened(browser, mock, f"/jobs/{job_of(mock, 'failure').id}", "document.querySelectorAll('.readable').length === 3")
    tab.evaluate("document.querySelector('.timeline-box .readable').focus()")
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        tab.press(key)
    said = text(tab, ".timeline-box output")
    must("host-01" in said and "% busy" in said, f"the timeline reads {said!r}")
    tab.evaluate("document.querySelector('.chart-box .readable').focus()")
    tab.press("End")
    said = text(tab, ".chart-box output")
    must("datums/s" in said, f"the chart reads {said!r}")
    tab.evaluate("document.querySelector('.chart-box details').open = true")
    tab.until("document.querySelectorAll('.chart-box details tbody tr').length === 120", "the chart is a table, too")
    no_complaints(tab)
    tab.close()


def stopping_says_the_count(browser, folder):
    mock = Mock(size=1_000_000).start()
    job = job_of(mock, "running")
    tab = opened(browser, mock, f"/jobs/{job.id}")
    tab.evaluate(f"{button('Stop')}.focus()")
    tab.press("Enter")
    tab.until("document.querySelector('dialog[open]')", "a dialog asks")
    says = text(tab, "dialog")
    must("24 running datums are killed" in says and "queued ones are not run" in says, f"the dialog says {says!r}")
    tab.shoot(folder / "dialog-stop.png")
    tab.press("Escape")
    tab.until("!document.querySelector('dialog')", "Escape means no")
    must(not any(method == "POST" for _, method, _ in mock.requests), "Escape stopped the job")
    must(tab.evaluate(f"document.activeElement === {button('Stop')}"), "the focus does not come back")
    tab.click(button("Stop"))
    tab.click("document.querySelector('dialog button.danger')")
    tab.until("document.querySelector('main h1').innerText.includes('killed')", "the job is shown as killed")
    must("not run" in text(tab, ".legend"), "what was not run is still called queued")
    no_complaints(tab)
    tab.close()


def retrying_says_the_count(browser, folder):
    mock = Mock(size=1_000_000).start()
    job = job_of(mock, "failure")
    tab = opened(browser, mock, f"/jobs/{job.id}", "document.querySelectorAll('.causes li').length === 3")
    tab.click(button("Retry all that failed"))
    tab.until("document.querySelector('dialog[open]')", "a dialog asks")
    must("24,000 datums of thumbs are run" in text(tab, "dialog"), f"the dialog says {text(tab, 'dialog')!r}")
    tab.shoot(folder / "dialog-retry.png")
    tab.click("document.querySelector('dialog button.primary')")
    tab.until(f"location.pathname !== '/jobs/{job.id}' && document.querySelector('main').innerText.includes('retries')", "the new job is shown, with the one it retries")
    no_complaints(tab)
    tab.close()


def one_group_is_retried_by_keyboard(browser, folder):
    mock = Mock(size=1_000_000).start()
    job = job_of(mock, "failure")
    tab = opened(browser, mock, f"/jobs/{job.id}", "document.querySelectorAll('.causes li').length === 3")
    last = "[...document.querySelectorAll('.causes li')].at(-1).querySelector('[data-action]')"
    tab.evaluate(f"{last}.focus()")
    must(tab.evaluate(f"document.activeElement === {last}"), "the button cannot have the focus")
    tab.press("Enter")
    tab.until("document.querySelector('dialog[open]')", "a dialog asks")
    says = text(tab, "dialog")
    must("5,000 datums of thumbs that failed with" in says, f"the dialog says {says!r}")
    must("19,000 other datums that did not succeed are left as they are" in says, f"the dialog says {says!r}")
    tab.shoot(folder / "dialog-retry-group.png")
    tab.press("Escape")
    tab.until("!document.querySelector('dialog')", "Escape means no")
    must(not any(method == "POST" for _, method, _ in mock.requests), "Escape retried the group")
    tab.press("Enter")
    tab.until("document.querySelector('dialog[open]')", "a dialog asks again: the focus came back")
    tab.evaluate("document.querySelector('dialog button.primary').focus()")
    tab.press("Enter")
    tab.until("document.querySelector('main').innerText.includes('retries one group of failures of')", "the new job is shown, with the one it retries")
    must(mock.world.jobs[0].of_group is not None, "the group was not sent")
    no_complaints(tab)
    tab.close()


def pipelines_are_steered(browser, folder):
    mock = Mock(size=1_000_000).start()
    tab = opened(browser, mock, "/pipelines/thumbs")
    for name, sign in (("Pause", "paused"), ("Resume", "running")):
        tab.click(button(name))
        tab.until("document.querySelector('dialog[open]')", "a dialog asks")
        tab.click("document.querySelector('dialog button.primary')")
        tab.until(f"document.querySelector('main h1').innerText.includes('{sign}')", f"after {name} it is {sign}")
    tab.click(button("Run now"))
    tab.click("document.querySelector('dialog button.primary')")
    tab.until("document.querySelector('.toast a')", "the new job is linked")
    tab.shoot(folder / "toast.png")
    tab.click(button("Delete"))
    tab.until("document.querySelector('dialog')?.innerText.includes('2 pipelines')", "it says who reads its output")
    tab.shoot(folder / "dialog-delete.png")
    tab.click("document.querySelector('dialog button.danger')")
    tab.until("location.pathname === '/' && document.querySelector('main table') && !document.querySelector('a[href=\"/pipelines/thumbs\"].node')", "it is gone")
    no_complaints(tab)
    tab.close()


def only_looking(browser, folder):
    mock = Mock(size=3, token="full-secret", read_token="read-secret").start()
    tab = browser.tab()
    tab.allowed.append("401")
    tab.open(mock.base + "/jobs")
    for given in ("wrong", "read-secret"):
        tab.until("document.querySelector('dialog input[type=password]')", "the token is asked for")
        tab.shoot(folder / f"token-{given}.png")
        tab.evaluate("document.querySelector('dialog input').focus()")
        tab.type(given)
        tab.press("Enter")
        if given == "wrong":
            tab.until("document.querySelector('dialog [role=alert]')", "a wrong token is called so")
    tab.until("document.querySelector('main tbody a')", "the jobs are shown")
    must(not any("secret" in path for _, _, path in mock.requests), "the token is in an address")
    must("read-only" in text(tab, "#foot"), "it is not said that one may only look")
    for path in [f"/jobs/{job.id}" for job in mock.world.jobs] + ["/pipelines/thumbs"]:
        tab.open(mock.base + path)
        tab.until("document.querySelector('main h1')", f"{path} is shown")
        acting = tab.evaluate("[...document.querySelectorAll('[data-action]')].map((each) => each.textContent)")
        must(not acting, f"{path} offers {acting} to somebody who may only look")
    no_complaints(tab)
    tab.close()


def live_or_not(browser, folder):
    mock = Mock(size=1_000_000).start()
    tab = opened(browser, mock, "/")
    says = "document.getElementById('connection').innerText"
    tab.until(f"{says} === 'live'", "it says that it is live")
    done = "[...document.querySelectorAll('.bar.open')].map((each) => each.getAttribute('aria-valuetext')).join()"
    before = tab.evaluate(done)
    tab.until(f"{done} !== {json.dumps(before)}", "the bar moves by itself")
    tab.allowed.append("503")
    mock.events_refused = True
    tab.until(f"{says}.startsWith('reconnecting')", "it says that it is reconnecting")
    tab.until(f"{says} === 'not connected'", "it says that it is not connected")
    before = tab.evaluate(done)
    tab.until(f"{done} !== {json.dumps(before)}", "the bar moves by asking")
    tab.shoot(folder / "not-connected.png")
    mock.events_refused = False
    tab.until(f"{says} === 'live'", "it is live again", 40)
    no_complaints(tab)
    tab.close()


def quiet_when_hidden(browser, folder):
    mock = Mock(size=1_000_000).start()
    tab = opened(browser, mock, f"/jobs/{job_of(mock, 'running').id}", "document.querySelectorAll('.readable').length === 3")
    tab.until("document.getElementById('connection').innerText === 'live'", "it is live")
    start = len(mock.requests)
    time.sleep(10)
    rate = (len(mock.requests) - start) / 10
    must(rate <= 3, f"the page asks {rate:.1f} times a second")
    hide = "Object.defineProperty(document, 'hidden', {{ configurable: true, get: () => {} }}); document.dispatchEvent(new Event('visibilitychange'))"
    tab.evaluate(hide.format("true"))
    tab.evaluate("new Promise((done) => setTimeout(done, 1500))")
    start = len(mock.requests)
    time.sleep(7)
    must(len(mock.requests) == start, f"hidden, the page still asks: {mock.requests[start:][:3]}")
    tab.evaluate(hide.format("false"))
    wait_for(lambda: any(path == "/events" for _, _, path in mock.requests[start:]) and len(mock.requests) > start + 1,
             "seen again, the page asks and listens")
    no_complaints(tab)
    tab.close()
    return f"{rate:.1f} requests a second when seen, none when hidden"


def data_is_text(browser, folder):
    mock = Mock(size=1_000_000).start()
    job = job_of(mock, "failure")
    for path in (f"/jobs/{job.id}", f"/jobs/{job.id}/datums/1", f"/jobs/{job.id}/datums/2"):
        tab = opened(browser, mock, path, "document.querySelector('main').innerText.includes('onerror')")
        must(tab.evaluate("window.broken === undefined && document.querySelectorAll('main img, main b b, .log-text *').length === 0"), f"{path}: data became elements")
        no_complaints(tab)
        tab.close()


def long_logs_are_cut(browser, folder):
    mock = Mock(size=1_000_000).start()
    job = job_of(mock, "failure")
    tab = opened(browser, mock, f"/jobs/{job.id}/datums/2", "document.querySelectorAll('.log-line').length === 500")
    must("The last 500 lines of 3,000" in text(tab), "it is not said that the log is cut")
    tab.click(button("Earlier lines"))
    tab.until("document.querySelectorAll('.log-line').length === 1000", "earlier lines are added")
    tab.evaluate("document.querySelector('#logs input').focus()")
    tab.type("colour profile")
    tab.until("document.querySelector('#logs').innerText.includes('500 lines with this text')", "the log is searched")
    must("err" in text(tab, ".log-line.stderr .log-stream"), "standard error is told apart by colour alone")
    tab.evaluate("document.activeElement.blur()")
    tab.press("n")
    tab.until("location.pathname.endsWith('/datums/3') && document.querySelector('main h1').innerText.includes('Datum 3')", "`n` shows the next datum")
    no_complaints(tab)
    tab.close()


def themes_are_kept(browser, folder):
    mock = Mock(size=3).start()
    tab = opened(browser, mock, "/")
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    light = tab.evaluate(ground)
    tab.click("document.getElementById('theme')")
    tab.click("document.getElementById('theme')")
    must(text(tab, "#theme") == "Theme: dark" and tab.evaluate(ground) != light, "the toggle does not make it dark")
    tab.open(mock.base + "/jobs")
    must(tab.evaluate("document.documentElement.dataset.theme") == "dark", "the choice is forgotten")
    no_complaints(tab)
    tab.close()


def broken_server(browser, folder):
    mock = Mock(size=3).start()
    tab = opened(browser, mock, "/jobs", "document.querySelector('main tbody a')")
    tab.allowed += ["ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE", "ERR_EMPTY", "ERR_CONNECTION_RESET"]
    mock.vanish()
    tab.until("!document.getElementById('trouble').hidden", "it says that the server does not answer")
    must("does not answer" in text(tab, "#trouble"), text(tab, "#trouble"))
    must(tab.evaluate("document.querySelectorAll('main tbody tr').length > 0"), "what was known is gone")
    tab.shoot(folder / "trouble.png")
    no_complaints(tab)
    tab.close()


def first_paint(browser, folder):
    mock = Mock(size=1_000_000).start()
    times = []
    for _ in range(5):
        tab = opened(browser, mock, "/")
        times.append(tab.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
        tab.close()
    best = min(times)
    must(best < 500, f"the first paint took {best:.0f} ms")
    return f"first contentful paint {best:.0f} ms at best of {len(times)}"


LAYOUT = """import('/page/parts/layers.js').then(({ layout, BOX }) => {
  const problems = [];
  let seed = 7;
  const random = (most) => (seed = (seed * 1103515245 + 12345) % 2147483648) % most;
  for (let round = 0; round < 60; round += 1) {
    const count = 1 + random(24);
    const nodes = Array.from({ length: count }, (_, at) => ({ id: `n${at}` }));
    const edges = [];
    for (let at = 0; at < count * 2; at += 1) {
      const [a, b] = [random(count), random(count)];
      if (a < b) edges.push({ from: `n${a}`, to: `n${b}` });
    }
    const drawn = layout(nodes, edges);
    const by = Object.fromEntries(drawn.nodes.map((node) => [node.id, node]));
    for (const a of drawn.nodes) {
      if (a.x < 0 || a.y < 0 || a.x + BOX.width > drawn.width || a.y + BOX.height > drawn.height) problems.push(`${round}: ${a.id} is outside`);
      for (const b of drawn.nodes) if (a.id < b.id && a.x === b.x && Math.abs(a.y - b.y) < BOX.height) problems.push(`${round}: ${a.id} on ${b.id}`);
    }
    for (const { from, to } of edges) if (by[from].x >= by[to].x) problems.push(`${round}: ${from} is not before ${to}`);
  }
  return problems.slice(0, 5);
})"""


def graphs_are_legible(browser, folder):
    tab = opened(browser, Mock(size=3).start(), "/")
    problems = tab.evaluate(LAYOUT)
    tab.close()
    must(not problems, f"layout: {problems}")


PROMISES = {check.__name__.replace("_", " "): check for check in (
    paging_a_million, searching_a_million, filters_narrow, keyboard_alone, readings_by_keyboard, stopping_says_the_count, retrying_says_the_count,
    one_group_is_retried_by_keyboard,
    pipelines_are_steered, only_looking, live_or_not, quiet_when_hidden, data_is_text, long_logs_are_cut, themes_are_kept, broken_server,
    first_paint, graphs_are_legible,
)}
