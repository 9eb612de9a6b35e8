import subprocess
from pathlib import Path

from dask.distributed import Client


def thumb(svg):
    png = Path("thumbs", f"{svg}.png")
    png.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["rsvg-convert", "-w", "160", "-h", "160", "-a", "-o", png, Path("in", svg)], check=True)


def sheet(folder):
    size = ["-define", "png:exclude-chunks=date,time", "-geometry", "80x80+2+2"]
    pngs = sorted(Path("thumbs", folder).glob("*.png"))
    subprocess.run(["montage", *size, *pngs, f"sheets/{folder}.png"], check=True)


if __name__ == "__main__":
    Path("sheets").mkdir(exist_ok=True)
    with Client(n_workers=2, threads_per_worker=1) as client:
        client.gather(client.map(thumb, [str(svg.relative_to("in")) for svg in Path("in").glob("*/*.svg")]))
        client.gather(client.map(sheet, [folder.name for folder in Path("thumbs").iterdir()]))
