"""What the samples of a measurement say: where the hub's Python spends its CPU.

``own`` counts the frame that was running, with the C code it called; ``under`` counts our frames anywhere on the stack.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

SAMPLER = Path(__file__).with_name("sampler")
ROOT = Path(__file__).parent.parent
OURS = ("hub/", "schema/", "settlement/", "adapters/")


@dataclass(frozen=True, slots=True)
class Profile:
    """Samples of one measurement: how many, and how they spread."""

    samples: int
    packages: Counter[str]
    own: Counter[str]
    under: Counter[str]


def environment(folder: Path) -> dict[str, str]:
    """What makes a Python process sample itself into ``folder``."""
    return {"PYTHONPATH": str(SAMPLER), "HUB_BENCH_SAMPLES": str(folder)}


def place(frame: str) -> str:
    """A frame's file and function, the file as imported: ``graphql/execution/execute.py parse``."""
    file, _, function = frame.partition("|")
    file = file.removeprefix(f"{ROOT}/")
    for library in ("/site-packages/", "/lib/python3"):
        file = file.rpartition(library)[2]
    return f"{file} {function}"


def package(where: str) -> str:
    """The package of a place: ours by folder, a library by name, Python's own, or elsewhere."""
    if where.startswith(OURS):
        file = where.split(" ")[0]
        return "/".join(file.split("/")[:2])
    head, slash, _ = where.partition("/")
    if not slash or head.startswith((".", "<")):
        return "python"
    return head or "elsewhere"


def read(folder: Path, start: float, end: float) -> Profile:
    """The samples between two readings of the monotonic clock."""
    lines = (line for file in folder.glob("*.samples") for line in file.read_text(errors="replace").splitlines())
    return tell(lines, start, end)


def tell(lines: Iterable[str], start: float, end: float) -> Profile:
    """The profile of the lines whose time lies between ``start`` and ``end``."""
    profile_samples, packages, own, under = 0, Counter[str](), Counter[str](), Counter[str]()
    for line in lines:
        at, _, stack = line.partition(" ")
        if not stack or not start <= float(at) <= end:
            continue
        places = [place(frame) for frame in stack.split(";")]
        profile_samples += 1
        packages[package(places[-1])] += 1
        own[places[-1]] += 1
        under.update({where for where in places if where.startswith(OURS)})
    return Profile(profile_samples, packages, own, under)
