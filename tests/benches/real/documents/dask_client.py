import subprocess
from pathlib import Path

from dask.distributed import Client


def count(gz):
    counts = Path("counts", f"{gz}.txt")
    counts.parent.mkdir(parents=True, exist_ok=True)
    with counts.open("wb") as out:
        subprocess.run(["count", Path("in", gz)], stdout=out, check=True)


if __name__ == "__main__":
    with Client(n_workers=2, threads_per_worker=1) as client:
        client.gather(client.map(count, [str(gz.relative_to("in")) for gz in Path("in").glob("*/*.gz")]))
    Path("index").mkdir(exist_ok=True)
    with open("index/words.txt", "wb") as out:
        subprocess.run(["index", "counts"], stdout=out, check=True)
