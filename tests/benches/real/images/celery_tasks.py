import os
import subprocess
import sys
from pathlib import Path

from celery import Celery, group

app = Celery("celery_tasks", broker=os.environ["BROKER"], backend="rpc://")
app.conf.update(task_acks_late=True, worker_prefetch_multiplier=1)


@app.task
def thumb(svg):
    png = Path("thumbs", f"{svg}.png")
    png.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["rsvg-convert", "-w", "160", "-h", "160", "-a", "-o", png, Path("in", svg)], check=True)


@app.task
def sheet(folder):
    size = ["-define", "png:exclude-chunks=date,time", "-geometry", "80x80+2+2"]
    pngs = sorted(Path("thumbs", folder).glob("*.png"))
    subprocess.run(["montage", *size, *pngs, f"sheets/{folder}.png"], check=True)


if __name__ == "__main__":
    worker = subprocess.Popen([sys.executable, "-m", "celery", "-A", "celery_tasks", "worker", "-c", "2", "-l", "ERROR"])
    Path("sheets").mkdir(exist_ok=True)
    group(thumb.s(str(svg.relative_to("in"))) for svg in Path("in").glob("*/*.svg"))().get()
    group(sheet.s(folder.name) for folder in Path("thumbs").iterdir())().get()
    worker.terminate()
    worker.wait()
