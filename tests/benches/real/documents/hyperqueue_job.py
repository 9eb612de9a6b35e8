import subprocess
from pathlib import Path

from hyperqueue import Job, LocalCluster
from hyperqueue.cluster import WorkerConfig

with LocalCluster() as cluster:
    cluster.start_worker(WorkerConfig(cores=2))
    client = cluster.client()
    job = Job()
    for gz in sorted(Path("in").glob("*/*.gz")):
        counts = Path("counts", f"{gz.relative_to('in')}.txt")
        counts.parent.mkdir(parents=True, exist_ok=True)
        job.program(["count", str(gz)], stdout=str(counts.absolute()))
    client.wait_for_jobs([client.submit(job)])
Path("index").mkdir(exist_ok=True)
with open("index/words.txt", "wb") as out:
    subprocess.run(["index", "counts"], stdout=out, check=True)
