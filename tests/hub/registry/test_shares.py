"""Share plans from proposal to withdrawal: that two of the operator's persons make one, and which make no sense."""

from datetime import timedelta
from typing import Any

import pytest

from hub.access import Role
from hub.clock import now
from hub.errors import Forbidden, InvalidAmount, InvalidInput, NotFound, RateOverlap, SameApprover, UnknownCurrency
from hub.ledger import commands
from hub.ledger.commands import ShareTerms
from hub.shares import Act, Scope, Share, Step
from hub.versions import VersionStatus
from tests.conftest import Hub
from tests.hub.ledger.test_fees import levels


def proposal(hub: Hub, *shares: ShareTerms, **changes: Any) -> commands.ProposeSharePlan:
    return commands.ProposeSharePlan(**{"actor": hub.admin, "shares": shares or levels("60", "40"), **changes})


async def test_two_of_the_operators_persons_bring_a_version_into_force_and_one_ends_it(hub: Hub) -> None:
    await hub.institution("BANK")
    await hub.currency("BP", "BANK")
    bank, _ = await hub.key("BANK", Role.INSTITUTION_ADMIN, person="Li")
    with pytest.raises(Forbidden):
        await hub.do(proposal(hub, actor=bank))
    terms = (ShareTerms(0, None, "12.3456", None), ShareTerms(None, "BANK", "87.6544", None))
    first = await hub.do(proposal(hub, *terms, act=Act.CONVERSION, source="BP", zone="DELTA", money="CNY"))
    of = hub.engine.configuration.currency("BP")
    nodes = hub.engine.configuration.institution_codes
    assert of is not None
    assert first.scope == Scope(Act.CONVERSION, of.id, None, None, "DELTA", "CNY")
    assert first.shares == (Share(0, None, 123_456, None), Share(None, nodes["BANK"], 876_544, None))
    assert (first.version, first.awaiting, first.proposed_by) == (1, (Step.OPERATOR,), "root")
    with pytest.raises(SameApprover):
        await hub.do(commands.ApproveSharePlan(actor=hub.admin, id=first.id))
    for command in (commands.ApproveSharePlan(actor=bank, id=first.id), commands.ApproveSharePlan(actor=bank, id=None)):
        with pytest.raises(Forbidden):
            await hub.do(command)
    approved = await hub.do(commands.ApproveSharePlan(actor=hub.second, id=first.id))
    assert (approved.status, approved.decided_by) == (VersionStatus.APPROVED, "second")
    tomorrow = now() + timedelta(days=1)
    for number in (2, 3):
        next_ = await hub.do(proposal(hub, act=Act.CONVERSION, source="BP", zone="DELTA", money="CNY", starts=tomorrow))
        assert next_.version == number
        if number == 2:
            await hub.do(commands.ApproveSharePlan(actor=hub.second, id=next_.id))
    with pytest.raises(RateOverlap):
        await hub.do(commands.ApproveSharePlan(actor=hub.second, id=next_.id))
    rejected = await hub.do(commands.RejectSharePlan(actor=hub.admin, id=next_.id, reason="twice"))
    assert rejected.status is VersionStatus.REJECTED
    withdrawn = await hub.do(commands.WithdrawSharePlan(actor=hub.admin, id=first.id, reason="over"))
    assert withdrawn.status is VersionStatus.WITHDRAWN
    with pytest.raises(InvalidInput):
        await hub.do(commands.WithdrawSharePlan(actor=hub.admin, id=first.id, reason="over"))
    with pytest.raises(NotFound):
        await hub.do(commands.RejectSharePlan(actor=hub.admin, id=1, reason="none"))


async def test_what_does_not_fit_together_is_no_plan(hub: Hub) -> None:
    await hub.institution("BANK")
    await hub.currency("BP", "BANK")
    refused: list[tuple[type[Exception], commands.ProposeSharePlan]] = [
        (InvalidInput, proposal(hub, *levels("60", "39.9999"))),  # not the whole
        (InvalidInput, proposal(hub, *levels("60", "40.0001"))),
        (InvalidInput, proposal(hub, shares=())),
        (InvalidInput, proposal(hub, *levels(*["5"] * 20, "5"))),  # 21 of them
        (InvalidInput, proposal(hub, ShareTerms(0, "BANK", "100", None))),  # both
        (InvalidInput, proposal(hub, ShareTerms(None, None, "100", None))),  # neither
        (InvalidInput, proposal(hub, ShareTerms(0, None, "100", "1"), money="CNY")),
        (InvalidInput, proposal(hub, ShareTerms(0, None, None, None))),
        (InvalidInput, proposal(hub, ShareTerms(-1, None, "100", None))),
        (InvalidInput, proposal(hub, ShareTerms(0, None, None, "1"))),  # an amount of which money?
        (InvalidAmount, proposal(hub, ShareTerms(0, None, None, "0.001"), money="CNY")),  # that nobody can pay
        (InvalidAmount, proposal(hub, ShareTerms(0, None, None, "0"), money="CNY")),
        (InvalidAmount, proposal(hub, ShareTerms(0, None, "100.00001", None))),
        (InvalidAmount, proposal(hub, ShareTerms(0, None, "101", None))),
        (InvalidInput, proposal(hub, act=Act.REDEMPTION, source="BP", target="BP")),
        (InvalidInput, proposal(hub, source="BP", target="BP")),
        (InvalidInput, proposal(hub, zone=" ")),
        (UnknownCurrency, proposal(hub, money="XXX")),
        (UnknownCurrency, proposal(hub, source="NP")),
        (NotFound, proposal(hub, institution="NOBODY")),
        (NotFound, proposal(hub, ShareTerms(None, "NOBODY", "100", None))),
        (InvalidInput, proposal(hub, starts=now() - timedelta(days=1))),
    ]
    for error, command in refused:
        with pytest.raises(error):
            await hub.do(command)
    assert hub.engine.configuration.share_plans == {}
