"""Replay: the rows of the journal, batch by batch, in the order in which they were made.

Configuration changes, acts and windows are merged by their identifiers, so each act meets the configuration that was in
force at it.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from hub import ids
from hub.audit.accounts import Accounts
from hub.audit.acts import Acts
from hub.audit.entries import Batch
from hub.audit.findings import Findings
from hub.audit.limits import Limits
from hub.audit.people import People
from hub.audit.positions import Positions
from hub.configuration import Change, Configuration, Noun, decode, with_changes
from hub.institutions import Institution
from hub.ledger.records import MovementKind

_Take = Callable[[Any, list[Any], Batch], None]


class Replay:
    """What the journal's rows make of accounts, positions, windows, bonus caps and limits."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self.configuration = Configuration()
        self.accounts = Accounts(findings)
        self.acts = Acts(findings, self.accounts)
        self.limits = Limits(findings, self.accounts, self.acts)
        self.positions = Positions(findings, self.accounts)
        self.people = People(findings)
        self._changes: list[Noun] = []

    async def take(self, connection: AsyncConnection, batch: Batch) -> None:
        """Take the next batch."""
        rows = batch.rows
        self.accounts.open(rows.get("account", ()))
        self.accounts.post(rows.get("leg", ()))
        await self.acts.begin(connection, batch)
        await self.limits.begin(connection, batch, self.configuration)
        legs: dict[int, list[Any]] = {}
        for leg in rows.get("leg", ()):
            legs.setdefault(leg[0], []).append(leg)
        changes, windows = rows.get("configuration_change", []), rows.get("settlement_window", [])
        events: list[tuple[int, _Take, Any]] = [(row["id"], self._act, row) for row in rows.get("movement", ())]
        if changes or windows:
            events += [(row["version"], self._change, row) for row in changes]
            events += [(row["id"], self._window, row) for row in windows]
            events.sort(key=lambda event: event[0])
        for id, take, row in events:
            take(row, legs.pop(id, []), batch)
        for movement in legs:
            self._findings.add(
                "LEG_MOVEMENT", f"There are legs of {ids.text(ids.ENTRY, movement)}, which there is not."
            )
        self._configure()
        self.people.take(batch)
        self.acts.finish(batch, self.positions.windows, self.people.subjects)
        self.positions.finish(batch)
        self.limits.finish()

    def _change(self, row: Any, _legs: list[Any], _batch: Batch) -> None:
        try:
            self._changes.append(decode(Change(*row)))
        except (msgspec.DecodeError, KeyError):
            self._findings.add(
                "CONFIGURATION", f"The configuration's change {row['version']:x} is no {ascii(row['noun'])[:40]}."
            )

    def _configure(self) -> None:
        if self._changes:
            self.configuration = with_changes(self.configuration, 0, self._changes)
            if any(isinstance(noun, Institution) for noun in self._changes):
                self.positions.forget_paths()
            self._changes = []

    def _window(self, row: Any, _legs: list[Any], batch: Batch) -> None:
        self._configure()
        self.positions.open(row, batch, self.configuration)

    def _act(self, moved: Any, legs: list[Any], batch: Batch) -> None:
        if self._changes:
            self._configure()
        match moved["kind"]:
            case MovementKind.CLOSE:
                self.positions.close(moved, legs, self.configuration)
            case MovementKind.SETTLE:
                self.positions.settle(moved, legs, batch, self.configuration)
            case _:
                self.acts.check(moved, legs, self.configuration)
                self.limits.check(moved, legs, self.configuration, batch)
                if len(legs) > 1:  # money comes with points
                    self.positions.act(moved, legs, self.configuration)
