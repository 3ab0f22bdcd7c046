"""What the tests of the folder share: a folder, the hub's end of it, and the partner's night, a process of its own."""

import asyncio
import itertools
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.file import kind
from adapters.file.configuration import Configuration
from adapters.file.partner import FilePartner
from hub.partners import Operation, Order
from tests.adapters.file.server import Server, serving

PARTNER = Path(__file__).with_name("partner.py")


@dataclass
class Exchanged:
    """A folder and both of its ends. ``clock``: the hub's, None for the machine's."""

    root: Path
    stack: AsyncExitStack
    more: dict[str, Any] = field(default_factory=dict)
    numbers: Any = field(default_factory=lambda: itertools.count(1))
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    at: datetime | None = None

    def __post_init__(self) -> None:
        self.books = self.root / "books.json"
        self.folder = self.root / "folder"
        for name in ("outgoing", "incoming", "hub"):
            (self.folder / name).mkdir(parents=True)
        self.theirs = self.folder  # where the partner looks

    def configuration(self, **more: Any) -> Configuration:
        """How the hub is told of the folder: two decimals, all operations, and a cut-off at half past ten."""
        usual = {"folder": str(self.folder), "unit": "MILES", "scale": 2, "cutOff": "22:30", "zone": "UTC"}
        can = {"operations": list(Operation), "partial": ["CAPTURE", "RELEASE", "REVERSE"]}
        return Configuration.model_validate({**usual, **can, **self.more, **more})

    def connect(self, **more: Any) -> FilePartner:
        """Another connection of the hub's."""
        configuration = self.configuration(**more)
        partner = FilePartner(configuration, self.now) if self.at else kind.connect(configuration)
        self.stack.push_async_callback(partner.close)
        return partner

    def now(self) -> datetime:
        """What the hub's clock shows."""
        return self.at or datetime.now(UTC)

    def enroll(self, member: str = "M-1", available: str = "1000.00") -> None:
        """Enter a member in the partner's books."""
        books = json.loads(self.books.read_text()) if self.books.exists() else {"members": {}, "orders": {}}
        books["members"][member] = available
        self.books.write_text(json.dumps(books))

    def available(self, member: str = "M-1") -> str:
        """What the partner's books say."""
        return str(json.loads(self.books.read_text())["members"][member])

    async def night(self) -> None:
        """The partner's night: it reads what lies there, and answers."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", str(PARTNER), str(self.theirs), str(self.books)),
            env={"PATH": os.environ.get("PATH", "")},
            stderr=asyncio.subprocess.PIPE,
        )
        _, told = await process.communicate()
        assert process.returncode == 0, told.decode()

    def order(self, amount: int = 10_00, **more: Any) -> Order:
        """A new order."""
        usual: dict[str, Any] = {"operation": Operation.DEBIT, "member": "M-1", "currency": "JADE", "scale": 2}
        reference = f"PH-{next(self.numbers)}"
        return Order(**{"reference": reference, "amount": amount, "asked_at": self.now(), **usual, **more})

    def files(self, folder: str = "outgoing") -> list[str]:
        """The names that lie in a folder."""
        return sorted(path.name for path in (self.theirs / folder).iterdir())

    def rows(self, name: str) -> list[list[str]]:
        """The cells of a file of orders."""
        return [line.split(",") for line in (self.theirs / "outgoing" / name).read_text().splitlines()]


@pytest.fixture
async def exchanged(tmp_path: Path) -> AsyncIterator[Exchanged]:
    """A new folder, with one member of 1000 points."""
    async with AsyncExitStack() as stack:
        made = Exchanged(tmp_path, stack)
        made.enroll()
        yield made


@pytest.fixture
async def server(exchanged: Exchanged) -> AsyncIterator[Server]:
    """The partner's server, over which the folder is exchanged."""
    async with serving(exchanged.root / "partner") as made:
        exchanged.theirs = made.root
        exchanged.more["sftp"] = made.told()
        yield made
