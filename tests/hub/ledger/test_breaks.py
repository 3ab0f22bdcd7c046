"""Breaks: what a run keeps, who may do what with it, and how it ends. What is found is told by hand."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from hub.access import Role
from hub.audit import audit
from hub.errors import Forbidden, InvalidInput, NotFound, SameApprover, UnknownCurrency
from hub.ledger import commands
from hub.partners import Status
from hub.reconciliation.breaks import (
    BREAKS_MAX,
    Break,
    BreakStatus,
    BreakType,
    Ending,
    Figures,
    Found,
    Run,
    Side,
    SideSum,
    Source,
)
from tests.conftest import Hub
from tests.hub.ledger.test_exchanges import network
from tests.properties import invariants

DAY = "2026-03-01"


@pytest.fixture
async def net(hub: Hub) -> AsyncIterator[Hub]:
    """The hub with its network; whatever was done is in order afterwards."""
    await network(hub)
    yield hub
    await invariants.check(hub)
    async with hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()


def found(reference: str, difference: int | None = 50, type: BreakType = BreakType.MISSING_HERE, **more: Any) -> Found:
    told = Side(source=Source.JOURNAL, rows=1, amount=difference or 0, status=Status.SUCCEEDED)
    sides = (Side(source=Source.HUB, rows=0), told)
    return Found(reference=reference, figures=Figures(type=type, difference=difference, sides=sides), **more)


def reconcile(hub: Hub, *breaks: Found, after: Run | None = None, **changes: Any) -> commands.Reconcile:
    usual: dict[str, Any] = {
        "actor": hub.engine.configuration.host.id,
        "currency": "MILE",
        "day": DAY,
        "after": None if after is None else after.id,
        "scale": 6,
        "sides": tuple(
            SideSum(source=source, rows=1, taken=0, given=0, digest="0" * 64) for source in (Source.HUB, Source.JOURNAL)
        ),
        "matched": 3,
        "found": breaks,
    }
    return commands.Reconcile(**(usual | changes))


async def opened(hub: Hub, **more: Any) -> int:
    """The identifier of a break that is open."""
    await hub.do(reconcile(hub, found("X-1", **more)))
    [row] = await hub.sql("SELECT id FROM reconciliation_break")
    return int(row["id"])


def proposal(hub: Hub, id: int | None, ending: Ending = Ending.CORRECTION, **changes: Any) -> commands.ProposeBreakEnd:
    return commands.ProposeBreakEnd(**{"actor": hub.admin, "id": id, "ending": ending, "text": "See there."} | changes)


def approval(hub: Hub, id: int | None, of: int | None, **changes: Any) -> commands.ApproveBreakEnd:
    return commands.ApproveBreakEnd(**{"actor": hub.second, "id": id, "proposal": of} | changes)


async def balance(hub: Hub, kind: int) -> int:
    rows = await hub.sql(
        "SELECT credits_posted - debits_posted AS b FROM account WHERE currency = 'MILE' AND kind = $1", kind
    )
    return sum(row["b"] for row in rows)


async def test_a_break_ends_by_two_persons_and_only_by_what_was_proposed(net: Hub) -> None:
    id = await opened(net)
    first = await net.do(proposal(net, id, Ending.ACCEPT))
    last = await net.do(proposal(net, id))
    assert isinstance(first, Break)
    assert isinstance(last, Break)
    assert last.status is BreakStatus.PROPOSED
    for refusal, command in (
        (SameApprover, approval(net, id, last.proposal, actor=net.admin)),
        (NotFound, approval(net, id, first.proposal)),
        (NotFound, approval(net, 7, last.proposal)),
        (NotFound, approval(net, id, None)),
    ):
        with pytest.raises(refusal):
            await net.do(command)
    ended = await net.do(approval(net, id, last.proposal))
    assert ended.status is BreakStatus.CORRECTED
    assert (await balance(net, 9), await balance(net, 2)) == (50, -50)
    for late in (proposal(net, id), commands.AssignBreak(actor=net.admin, id=id, owner=None)):
        with pytest.raises(InvalidInput):
            await net.do(late)
    with pytest.raises(NotFound):
        await net.do(approval(net, id, last.proposal))
    assert await balance(net, 9) == 50


@pytest.mark.parametrize(
    ("ending", "difference", "partner", "issuance", "breakage"),
    [
        (Ending.CORRECTION, 50, 50, -50, 0),
        (Ending.CORRECTION, -50, -50, 50, 0),
        (Ending.WRITE_OFF, 50, 50, 0, -50),
        (Ending.WRITE_OFF, -50, -50, 0, 50),
        (Ending.ACCEPT, 50, 0, 0, 0),
    ],
)
async def test_an_end_posts_the_difference(
    net: Hub, ending: Ending, difference: int, partner: int, issuance: int, breakage: int
) -> None:
    id = await opened(net, difference=difference)
    proposed = await net.do(proposal(net, id, ending))
    await net.do(approval(net, id, proposed.proposal))
    assert (await balance(net, 9), await balance(net, 2), await balance(net, 3)) == (partner, issuance, breakage)


@pytest.mark.parametrize("difference", [None, 0])
async def test_what_has_no_clear_difference_is_only_accepted(net: Hub, difference: int | None) -> None:
    id = await opened(net, difference=difference, type=BreakType.DATE)
    for ending in (Ending.CORRECTION, Ending.WRITE_OFF):
        with pytest.raises(InvalidInput):
            await net.do(proposal(net, id, ending))
    proposed = await net.do(proposal(net, id, Ending.ACCEPT))
    assert (await net.do(approval(net, id, proposed.proposal))).status is BreakStatus.ACCEPTED


async def test_a_proposal_falls_when_the_figures_change(net: Hub) -> None:
    id = await opened(net)
    proposed = await net.do(proposal(net, id))
    [row] = await net.sql("SELECT id FROM reconciliation")
    await net.do(msgspec.structs.replace(reconcile(net, found("X-1", 60)), after=row["id"]))
    with pytest.raises(NotFound):
        await net.do(approval(net, id, proposed.proposal))
    assert await balance(net, 9) == 0


async def test_the_operator_looks_after_breaks_and_an_issuer_only_comments(net: Hub) -> None:
    id = await opened(net)
    issuer, _ = await net.key("AIR", Role.INSTITUTION_ADMIN)
    reader, _ = await net.key("AIR", Role.INSTITUTION_AUDITOR)
    other, _ = await net.key("HOTEL", Role.INSTITUTION_ADMIN)
    auditor, _ = await net.key("HUB", Role.OPERATOR_AUDITOR, person="looker")
    await net.do(commands.NoteBreak(actor=issuer, id=id, text="We have looked: it was done by hand."))
    for refusal, command in (
        (Forbidden, commands.NoteBreak(actor=reader, id=id, text="x")),
        (Forbidden, commands.NoteBreak(actor=auditor, id=id, text="x")),
        (NotFound, commands.NoteBreak(actor=other, id=id, text="x")),
        (InvalidInput, commands.NoteBreak(actor=issuer, id=id, text=" ")),
        (Forbidden, commands.AssignBreak(actor=issuer, id=id, owner="root")),
        (Forbidden, proposal(net, id, actor=issuer)),
        (Forbidden, proposal(net, id, actor=auditor)),
        (Forbidden, approval(net, id, 1, actor=issuer)),
        (Forbidden, reconcile(net, actor=issuer)),
        (NotFound, commands.AssignBreak(actor=net.admin, id=id, owner="nobody")),
        (NotFound, commands.AssignBreak(actor=net.admin, id=7, owner="second")),
        (InvalidInput, proposal(net, id, text=" ")),
    ):
        with pytest.raises(refusal):
            await net.do(command)
    assert (await net.do(commands.AssignBreak(actor=net.admin, id=id, owner="looker"))).owner == auditor
    assert (await net.do(commands.AssignBreak(actor=net.admin, id=id, owner=None))).owner is None


async def test_a_run_goes_on_from_the_one_that_it_has_seen(net: Hub) -> None:
    first = await net.do(reconcile(net, found("X-1"), found("X-2", members="JOURNAL: M-1")))
    assert (first.opened, first.open) == (2, 2)
    assert await net.do(reconcile(net)) == first  # another one was quicker
    second = await net.do(reconcile(net, found("X-2"), after=first))
    assert (second.opened, second.unchanged, second.vanished) == (0, 1, 1)
    [one, two] = await net.batch([reconcile(net, after=second), reconcile(net, found("X-9"), after=second)])
    assert [getattr(answer, "result", None) for answer in (one, two)] == [getattr(one, "result", 0)] * 2
    assert len(await net.sql("SELECT 1 FROM reconciliation")) == 3


async def test_a_run_that_cannot_be_is_refused(net: Hub) -> None:
    first = await net.do(reconcile(net, found("X-1")))
    hub_alone = (SideSum(source=Source.HUB, rows=0, taken=0, given=0, digest=""),)
    for refusal, command in (
        (UnknownCurrency, reconcile(net, currency="NONE")),
        (InvalidInput, reconcile(net, after=first, sides=hub_alone)),
        (InvalidInput, reconcile(net, *(found(f"Y-{number}") for number in range(BREAKS_MAX + 1)), day="2026-03-02")),
    ):
        with pytest.raises(refusal):
            await net.do(command)
