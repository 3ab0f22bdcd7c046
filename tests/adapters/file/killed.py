"""A program that is killed before each of its steps on the disk in turn, and what is found afterwards; for test_kills.

    killed.py FOLDER

A child stages two orders and lets them go out, and is killed before its first step; another in a new folder before its
second, and so on until one lives. After each kill somebody else does the same again. Prints for each: how many orders
the outgoing files have, how often each, and what is left that should not be.
"""

import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

from adapters.file.batches import Batches
from adapters.file.configuration import Configuration
from adapters.file.tables import Asked
from hub.partners import Operation, Order

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
STEPS = ("replace", "unlink", "fsync", "open", "mkdir")
ORDERS = [
    Order(reference=f"PH-{n}", operation=Operation.DEBIT, member="M-1", amount=n, currency="J", scale=0, asked_at=AT)
    for n in (1, 2)
]


def asked(order: Order) -> Asked:
    """An order as a row has it."""
    return Asked(
        reference=order.reference,
        operation=order.operation,
        member=order.member,
        units=order.amount,
        of=order.of,
        asked_at=order.asked_at,
    )


def work(folder: Path) -> None:
    """Stage what is not staged yet, and let it go out."""
    told = {"folder": str(folder), "unit": "MILES", "cutOff": "22:30", "zone": "UTC", "operations": ["DEBIT"]}
    batches = Batches(Configuration.model_validate(told))
    for order in ORDERS:
        with batches.alone(monotonic() + 5):
            if batches.find(order) is None:
                batches.stage(asked(order), order, AT)
    with batches.alone(monotonic() + 5):
        batches.compose(AT.date(), AT)
    assert all(found is not None and found[1] is not None for found in map(batches.find, ORDERS))


def kill_before(step: int) -> None:
    """Have this process killed before its so many-th step on the disk."""
    left = [step]

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any, **named: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **named)

        return called

    for name in STEPS:
        setattr(os, name, counted(getattr(os, name)))


def found(folder: Path) -> dict[str, Any]:
    """What lies in the folder."""
    files = sorted((folder / "outgoing").iterdir())
    lines = [line for path in files for line in path.read_text().splitlines()]
    left = [str(path.relative_to(folder)) for name in ("staged", "ready") for path in (folder / "hub" / name).iterdir()]
    orders = Counter(line.split(",")[0] for line in lines if line.startswith("PH-"))
    return {"files": [path.name for path in files], "orders": orders, "left": left}


def main(root: Path) -> None:
    """Kill after kill."""
    for step in range(1, 1000):
        folder = root / str(step)
        for name in ("outgoing", "incoming", "hub"):
            (folder / name).mkdir(parents=True)
        child = os.fork()
        if child == 0:
            kill_before(step)
            work(folder)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        lived = os.WIFEXITED(status)
        between = sorted(path.name for path in (folder / "outgoing").iterdir())
        if not lived:
            work(folder)
        print(json.dumps({"step": step, "lived": lived, "between": between, **found(folder)}))  # noqa: T201 - is read
        if lived:
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]))
