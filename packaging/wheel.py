"""Packs the binaries of Drover into a Python wheel, so that `pip install` puts them into the PATH, and the Python client.

usage: wheel.py BINARIES VERSION MACHINE OUT

A wheel is a zip archive with a list of its files and their hashes. The binaries are static, so they run with every C
library, and no interpreter loads them: the wheel fits each Python 3 of its machine.
"""

import base64
import hashlib
import pathlib
import sys
import time
import zipfile

PACKAGE = "drover_run"
PYTHON = pathlib.Path(__file__).parent / "python"

METADATA = """\
Metadata-Version: 2.1
Name: drover-run
Version: {version}
Summary: Runs a command over every file of a folder or bucket, once, on as many machines as there are
Home-page: https://github.com/drover-dev/drover
License: Apache-2.0
Requires-Python: >=3.9
Description-Content-Type: text/markdown

{readme}"""

WHEEL = """\
Wheel-Version: 1.0
Generator: drover packaging/wheel.py
Root-Is-Purelib: false
{tags}
"""


def main(binaries: str, version: str, machine: str, out: str) -> None:
    """Writes the wheel for `machine` (x86_64 or aarch64) into the folder `out`."""
    platforms = [f"manylinux2014_{machine}", f"musllinux_1_1_{machine}"]
    tags = "\n".join(f"Tag: py3-none-{platform}" for platform in platforms)
    readme = (pathlib.Path(__file__).parent.parent / "README.md").read_text()
    about = f"{PACKAGE}-{version}.dist-info"
    scripts = f"{PACKAGE}-{version}.data/scripts"
    files = {f"{scripts}/{path.name}": (path.read_bytes(), 0o755) for path in sorted(pathlib.Path(binaries).iterdir())}
    for path in sorted(PYTHON.glob(f"{PACKAGE}/*")):
        if path.is_file():
            files[str(path.relative_to(PYTHON))] = (path.read_bytes(), 0o644)
    files[f"{about}/METADATA"] = (METADATA.format(version=version, readme=readme).encode(), 0o644)
    files[f"{about}/WHEEL"] = (WHEEL.format(tags=tags).encode(), 0o644)
    rows = [f"{name},{digest(content)},{len(content)}" for name, (content, _) in files.items()]
    record = f"{about}/RECORD"
    files[record] = ("\n".join([*rows, f"{record},,"]).encode() + b"\n", 0o644)
    write(pathlib.Path(out) / f"{PACKAGE}-{version}-py3-none-{'.'.join(platforms)}.whl", files)


def digest(content: bytes) -> str:
    """The hash of a file as a wheel's list writes it."""
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def write(path: pathlib.Path, files: dict[str, tuple[bytes, int]]) -> None:
    """Writes a zip archive of files with their modes; all carry one time, so that equal files make equal archives."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, (content, mode) in files.items():
            entry = zipfile.ZipInfo(name, date_time=time.gmtime(315532800)[:6])
            entry.external_attr = (0o100000 | mode) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)


if __name__ == "__main__":
    main(*sys.argv[1:])
