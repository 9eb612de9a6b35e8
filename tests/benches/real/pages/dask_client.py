import os
import subprocess
from pathlib import Path

from dask.distributed import Client


def paint(pdf):
    folder = Path("pages", pdf.stem)
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["pdftoppm", "-r", "100", "-gray", "-png", pdf, folder / "p"], check=True)


def read(png):
    text = Path("text", png)
    text.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["tesseract", Path("pages", png), text], check=True, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    os.environ["OMP_THREAD_LIMIT"] = "1"
    with Client(n_workers=2, threads_per_worker=1) as client:
        client.gather(client.map(paint, list(Path("in").iterdir())))
        client.gather(client.map(read, [str(png.relative_to("pages")) for png in Path("pages").glob("*/*.png")]))
    Path("index").mkdir(exist_ok=True)
    with open("index/words.txt", "wb") as out:
        subprocess.run(["compare", "in", "text"], stdout=out, check=True)
