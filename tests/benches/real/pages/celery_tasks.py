import os
import subprocess
import sys
from pathlib import Path

from celery import Celery, group

app = Celery("celery_tasks", broker=os.environ["BROKER"], backend="rpc://")
app.conf.update(task_acks_late=True, worker_prefetch_multiplier=1)


@app.task
def paint(pdf):
    folder = Path("pages", Path(pdf).stem)
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["pdftoppm", "-r", "100", "-gray", "-png", pdf, folder / "p"], check=True)


@app.task
def read(png):
    text = Path("text", png)
    text.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["tesseract", Path("pages", png), text], check=True, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    os.environ["OMP_THREAD_LIMIT"] = "1"
    worker = subprocess.Popen([sys.executable, "-m", "celery", "-A", "celery_tasks", "worker", "-c", "2", "-l", "ERROR"])
    group(paint.s(str(pdf)) for pdf in Path("in").iterdir())().get()
    group(read.s(str(png.relative_to("pages"))) for png in Path("pages").glob("*/*.png"))().get()
    worker.terminate()
    worker.wait()
    Path("index").mkdir(exist_ok=True)
    with open("index/words.txt", "wb") as out:
        subprocess.run(["compare", "in", "text"], stdout=out, check=True)
