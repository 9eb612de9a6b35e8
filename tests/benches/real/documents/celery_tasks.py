import os
import subprocess
import sys
from pathlib import Path

from celery import Celery, group

app = Celery("celery_tasks", broker=os.environ["BROKER"], backend="rpc://")
app.conf.update(task_acks_late=True, worker_prefetch_multiplier=1)


@app.task
def count(gz):
    counts = Path("counts", f"{gz}.txt")
    counts.parent.mkdir(parents=True, exist_ok=True)
    with counts.open("wb") as out:
        subprocess.run(["count", Path("in", gz)], stdout=out, check=True)


if __name__ == "__main__":
    worker = subprocess.Popen([sys.executable, "-m", "celery", "-A", "celery_tasks", "worker", "-c", "2", "-l", "ERROR"])
    group(count.s(str(gz.relative_to("in"))) for gz in Path("in").glob("*/*.gz"))().get()
    worker.terminate()
    worker.wait()
    Path("index").mkdir(exist_ok=True)
    with open("index/words.txt", "wb") as out:
        subprocess.run(["index", "counts"], stdout=out, check=True)
