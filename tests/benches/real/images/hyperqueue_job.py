from pathlib import Path

from hyperqueue import Job, LocalCluster
from hyperqueue.cluster import WorkerConfig

with LocalCluster() as cluster:
    cluster.start_worker(WorkerConfig(cores=2))
    client = cluster.client()
    job = Job()
    for svg in sorted(Path("in").glob("*/*.svg")):
        png = Path("thumbs", f"{svg.relative_to('in')}.png")
        png.parent.mkdir(parents=True, exist_ok=True)
        job.program(["rsvg-convert", "-w", "160", "-h", "160", "-a", "-o", str(png), str(svg)])
    client.wait_for_jobs([client.submit(job)])
    Path("sheets").mkdir(exist_ok=True)
    job = Job()
    for folder in Path("thumbs").iterdir():
        size = ["-define", "png:exclude-chunks=date,time", "-geometry", "80x80+2+2"]
        pngs = [str(png) for png in sorted(folder.glob("*.png"))]
        job.program(["montage", *size, *pngs, f"sheets/{folder.name}.png"])
    client.wait_for_jobs([client.submit(job)])
