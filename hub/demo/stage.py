"""What the chapters of the story share: the console, the connections of the persons who act, and the demo's book."""

import asyncio
import os
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from hub.demo.book import Book
from hub.demo.client import Connection
from hub.demo.network import EVERYBODY, OPERATOR

OUTPUT_LINES_MAX = 24


@dataclass(slots=True)
class Stage:
    """One run of the story.

    ``suffix`` is appended to every code, so that the story can be told again to a hub that has heard it. ``folder``
    receives the report's files. ``environment`` is what commands of the hub are started with. ``people`` act for the
    institution under whose name they stand; the operator's second person stands under a name of its own.
    """

    root: str
    folder: Path
    console: Console
    suffix: str
    environment: Mapping[str, str]
    stack: AsyncExitStack
    operator: Connection
    operator_code: str
    book: Book = field(default_factory=Book)
    people: dict[str, Connection] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)

    def code(self, name: str) -> str:
        """The code under which the hub knows an institution or currency of the network in this run."""
        return self.operator_code if name == OPERATOR else name + self.suffix

    def name(self, code: str) -> str | None:
        """The network's name behind a code of the hub's; None if the code is not of this run."""
        if code == self.operator_code:
            return OPERATOR
        plain = code.removesuffix(self.suffix) if self.suffix else code
        known = any(institution.code == plain for institution in EVERYBODY)
        return plain if known and code == plain + self.suffix else None

    async def connect(self, secret: str, language: str = "en") -> Connection:
        """A connection with a person's key, open until the story ends."""
        return await self.stack.enter_async_context(Connection(self.root, secret, language))

    def customer(self, institution: str, reference: str) -> dict[str, str]:
        """A customer as the API names it."""
        return {"institution": self.code(institution), "reference": reference}

    def chapter(self, number: int, title: str, *sentences: str) -> None:
        """A headline and, in plain words, what happens and why."""
        self.console.print()
        self.console.rule(f"[bold cyan]{number}  {escape(title)}", align="left")
        for sentence in sentences:
            self.say(sentence)

    def say(self, sentence: str) -> None:
        """One line of the story; rich's markup is understood."""
        self.console.print(sentence, highlight=False)

    def good(self, sentence: str) -> None:
        """Something that was checked and holds."""
        self.console.print(f"[green]ok[/]  {sentence}", highlight=False)

    def show(self, table: Table | Tree) -> None:
        """A table or a tree, indented a little."""
        self.console.print(Padding(table, (0, 2)))

    async def command(self, *arguments: str, shown: str) -> int:
        """Run a command of the hub's in a process of its own, show what it printed, and return its exit code."""
        self.say(f"[bold]$ points-hub {escape(shown)}[/]")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "hub", *arguments,
            env=dict(self.environment), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await process.communicate()
        lines = output.decode(errors="replace").rstrip().splitlines()
        left_out = len(lines) - OUTPUT_LINES_MAX
        if left_out > 0:
            lines = [*lines[:OUTPUT_LINES_MAX], f"... and {left_out} lines more"]
        code = process.returncode or 0
        for line in [*lines, f"(exit code {code})"]:
            self.console.print(Padding(Text(line, style="dim"), (0, 4)))
        return code


def columns(*names: str, right: int = 0, title: str | None = None) -> Table:
    """An empty table whose last ``right`` columns hold figures."""
    table = Table(
        title=title, title_justify="left", title_style="italic", box=None, pad_edge=False, padding=(0, 2, 0, 0)
    )
    for place, name in enumerate(names):
        figures = place >= len(names) - right
        table.add_column(name, justify="right" if figures else "left", style="cyan" if figures else "", no_wrap=figures)
    return table


def figure(amount: Decimal | str | int) -> str:
    """An amount with its digits as they are and thousands set apart."""
    return f"{Decimal(amount):,f}"


def cash(amount: Decimal | str) -> str:
    """Money for a table: two digits, rounded half to even for display only."""
    return f"{Decimal(amount):,.2f}"


def own_environment() -> dict[str, str]:
    """A copy of this process's environment."""
    return dict(os.environ)
