import subprocess
from pathlib import Path

from hyperqueue import Job, LocalCluster
from hyperqueue.cluster import WorkerConfig

with LocalCluster() as cluster:
    cluster.start_worker(WorkerConfig(cores=2))
    client = cluster.client()
    job = Job()
    for pdf in Path("in").iterdir():
        folder = Path("pages", pdf.stem)
        folder.mkdir(parents=True, exist_ok=True)
        job.program(["pdftoppm", "-r", "100", "-gray", "-png", str(pdf), str(folder / "p")])
    client.wait_for_jobs([client.submit(job)])
    job = Job()
    for png in Path("pages").glob("*/*.png"):
        text = Path("text", png.relative_to("pages"))
        text.parent.mkdir(parents=True, exist_ok=True)
        job.program(["tesseract", str(png), str(text)], env={"OMP_THREAD_LIMIT": "1"})
    client.wait_for_jobs([client.submit(job)])
Path("index").mkdir(exist_ok=True)
with open("index/words.txt", "wb") as out:
    subprocess.run(["compare", "in", "text"], stdout=out, check=True)
