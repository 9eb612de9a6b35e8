import sys
from pathlib import Path

from hyperqueue import Job, LocalCluster
from hyperqueue.cluster import WorkerConfig
from hyperqueue.ffi.protocol import ResourceRequest

# A local cluster has no resource but CPUs: one stands for so many megabytes.
MEGABYTES = 100

program, mark, budget = sys.argv[1], sys.argv[2], int(sys.argv[3])
datums = [path.read_text().split() for path in sorted(Path("in").iterdir())]
largest = max(int(megabytes) for megabytes, _ in datums)
asked = ResourceRequest(cpus=-(-largest // MEGABYTES))
with LocalCluster() as cluster:
    cluster.start_worker(WorkerConfig(cores=budget // MEGABYTES))
    client = cluster.client()
    job = Job()
    for figures in datums:
        job.program([program, mark, *figures], resources=asked)
    client.wait_for_jobs([client.submit(job)])
