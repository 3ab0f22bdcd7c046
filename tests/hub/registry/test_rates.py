"""Rates from proposal to withdrawal: whose word is needed, and what is never approved."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from hub.access import Role
from hub.clock import now
from hub.currencies import RateConsent
from hub.errors import (
    Forbidden,
    InvalidAmount,
    InvalidInput,
    NotAccepted,
    NotFound,
    RateCycle,
    RateOverlap,
    SameApprover,
    UnknownCurrency,
)
from hub.ledger import commands
from hub.ledger.commands import BonusTerms, MoneyText
from hub.rates import Funding, Step
from hub.versions import VersionStatus
from tests.conftest import Hub, Pass

CONSENT = RateConsent.ISSUER


async def found(hub: Hub, consent: RateConsent = CONSENT) -> None:
    for code, points in (("BANK", "A"), ("AIR", "B"), ("TEL", "C")):
        await hub.institution(code)
        await hub.currency(points, code, rate_consent=consent)


def accept(actor: int, rate: Any) -> commands.AcceptRate:
    return commands.AcceptRate(actor=actor, id=rate.id)


def approve(actor: int, rate: Any) -> commands.ApproveRate:
    return commands.ApproveRate(actor=actor, id=rate.id)


async def test_who_proposes_agrees_the_other_accepts_and_the_operator_approves(hub: Hub) -> None:
    await found(hub)
    bank, _ = await hub.key("BANK", Role.INSTITUTION_ADMIN, person="Li")
    air, _ = await hub.key("AIR", Role.INSTITUTION_ADMIN, person="Wu")
    proposed = await hub.do(hub.proposal("A", "B", actor=bank))
    assert proposed.awaiting == (Step.TARGET_ISSUER, Step.OPERATOR)
    with pytest.raises(NotAccepted):
        await hub.do(approve(hub.admin, proposed))
    with pytest.raises(InvalidInput):
        await hub.do(accept(bank, proposed))  # it has said so already
    with pytest.raises(Forbidden):
        await hub.do(accept(hub.admin, proposed))  # consent that an issuer keeps, it keeps from the operator too
    accepted = await hub.do(accept(air, proposed))
    assert (accepted.awaiting, accepted.accepted_by) == ((Step.OPERATOR,), ("Wu",))
    with pytest.raises(Forbidden):
        await hub.do(approve(air, proposed))
    approved = await hub.do(approve(hub.admin, proposed))
    assert (approved.status, approved.decided_by) == (VersionStatus.APPROVED, "root")
    for again in (approve(hub.admin, proposed), accept(air, proposed)):
        with pytest.raises(InvalidInput):
            await hub.do(again)


async def test_the_operators_proposal_needs_both_issuers_and_another_person(hub: Hub) -> None:
    await found(hub)
    bank, _ = await hub.key("BANK", Role.INSTITUTION_ADMIN)
    air, _ = await hub.key("AIR", Role.INSTITUTION_ADMIN)
    proposed = await hub.do(hub.proposal("A", "B"))
    assert proposed.awaiting == (Step.SOURCE_ISSUER, Step.TARGET_ISSUER, Step.OPERATOR)
    await hub.do(accept(bank, proposed))
    with pytest.raises(NotAccepted):
        await hub.do(approve(hub.second, proposed))
    await hub.do(accept(air, proposed))
    with pytest.raises(SameApprover):
        await hub.do(approve(hub.admin, proposed))
    third, _ = await hub.key("HUB", Role.OPERATOR_ADMIN, person="root")  # the same person with another key
    with pytest.raises(SameApprover):
        await hub.do(approve(third, proposed))
    assert (await hub.do(approve(hub.second, proposed))).status is VersionStatus.APPROVED


async def test_nobody_of_the_operators_gives_an_issuers_consent(hub: Hub) -> None:
    """The operator is above everybody, so its own institution's administrators would speak for all."""
    await found(hub)
    clerk, _ = await hub.key("HUB", Role.INSTITUTION_ADMIN, person="clerk")
    proposed = await hub.do(hub.proposal("A", "B", actor=clerk))
    assert proposed.awaiting == (Step.SOURCE_ISSUER, Step.TARGET_ISSUER, Step.OPERATOR)
    with pytest.raises(Forbidden):
        await hub.do(accept(clerk, proposed))
    with pytest.raises(NotAccepted):
        await hub.do(approve(hub.admin, proposed))


async def test_the_operators_own_points_have_its_own_peoples_consent(hub: Hub) -> None:
    await found(hub)
    await hub.currency("H", "HUB", rate_consent=CONSENT)
    clerk, _ = await hub.key("HUB", Role.INSTITUTION_ADMIN, person="clerk")
    for actor in (clerk, hub.admin):
        proposed = await hub.do(hub.proposal("H", "A", actor=actor))
        assert proposed.awaiting == (Step.TARGET_ISSUER, Step.OPERATOR)


async def test_an_institution_above_an_issuer_speaks_for_it(hub: Hub) -> None:
    await hub.institution("GROUP")
    await hub.institution("BANK", parent="GROUP")
    await hub.institution("AIR", parent="GROUP")
    await hub.currency("A", "BANK", rate_consent=CONSENT)
    await hub.currency("B", "AIR", rate_consent=CONSENT)
    group, _ = await hub.key("GROUP", Role.INSTITUTION_ADMIN)
    proposed = await hub.do(hub.proposal("A", "B", actor=group))
    assert proposed.awaiting == (Step.OPERATOR,)  # both are its own


async def test_strangers_and_other_roles_have_no_say_and_see_no_proposal(hub: Hub) -> None:
    await found(hub)
    stranger, _ = await hub.key("TEL", Role.INSTITUTION_ADMIN)
    trader, _ = await hub.key("BANK", Role.INSTITUTION_TRADER)
    with pytest.raises(Forbidden):
        await hub.do(hub.proposal("A", "B", actor=stranger))
    with pytest.raises(Forbidden):
        await hub.do(hub.proposal("A", "B", actor=trader))
    proposed = await hub.do(hub.proposal("A", "B"))
    reject = commands.RejectRate(actor=stranger, id=proposed.id, reason="no")
    for command in (accept(stranger, proposed), reject, commands.AcceptRate(actor=hub.admin, id=None)):
        with pytest.raises(NotFound):
            await hub.do(command)
    with pytest.raises(Forbidden):
        await hub.do(accept(trader, proposed))


async def test_equal_starts_overlap_and_a_later_start_does_not(hub: Hub) -> None:
    await found(hub, RateConsent.OPERATOR)
    start = now() + timedelta(days=1)
    await hub.rate("A", "B", starts=start)
    with pytest.raises(RateOverlap):
        await hub.rate("A", "B", starts=start)
    await hub.rate("A", "B", starts=start + timedelta(microseconds=1))
    await hub.rate("B", "A", "1:2", starts=start)  # another pair


async def test_rates_that_start_on_approval_in_one_batch_start_one_after_the_other(hub: Hub) -> None:
    await found(hub, RateConsent.OPERATOR)
    proposals = [await hub.do(hub.proposal("A", "B", f"1:{number}")) for number in (2, 3, 4)]
    answers: list[Any] = await hub.batch([approve(hub.second, one) for one in proposals])
    starts = [answer.result.starts for answer in answers]
    assert starts == sorted(set(starts))
    await asyncio.sleep(0.001)
    await hub.issue("A", "BANK", "x", "12")
    done = await hub.do(
        commands.Convert(
            actor=hub.admin,
            key="c",
            source=commands.Party("BANK", "x"),
            target=commands.Party("AIR", "y"),
            source_currency="A",
            target_currency="B",
            amount="12",
            minimum_target=None,
        )
    )
    assert done.figures.target == 3  # 12 at 1:4, which was approved last


async def test_the_past_is_refused_at_proposal_and_at_approval(hub: Hub, pass_: Pass) -> None:
    await found(hub, RateConsent.OPERATOR)
    with pytest.raises(InvalidInput):
        await hub.do(hub.proposal("A", "B", starts=now() - timedelta(seconds=1)))
    with pytest.raises(InvalidInput):
        await hub.do(hub.proposal("A", "B", ends=now() - timedelta(seconds=1)))
    soon = await hub.do(hub.proposal("A", "B", starts=now() + timedelta(hours=1)))
    short = await hub.do(hub.proposal("A", "B", ends=now() + timedelta(hours=1)))
    pass_(timedelta(hours=1))
    for late in (soon, short):
        with pytest.raises(InvalidInput):
            await hub.do(approve(hub.second, late))


async def test_example_7_a_cycle_above_one_is_refused_with_its_path(hub: Hub) -> None:
    await found(hub, RateConsent.OPERATOR)
    await hub.rate("A", "B", "8:10")
    await hub.rate("B", "C", "5:10")
    with pytest.raises(RateCycle) as refused:
        await hub.rate("C", "A", "26:10")
    details = refused.value.details
    assert (details["cycle"], details["product"]) == ("C>A>B>C", "1.04")
    await hub.rate("C", "A", "22:10")
    bonus = BonusTerms("30", None, None, None, Funding.SOURCE_ISSUER, None, None)
    with pytest.raises(RateCycle) as with_bonus:
        await hub.rate("A", "B", "8:10", bonuses=(bonus,))
    assert (with_bonus.value.details["cycle"], with_bonus.value.details["product"]) == ("A>B>C>A", "1.144")


async def test_approvals_of_one_batch_are_serial(hub: Hub) -> None:
    await found(hub, RateConsent.OPERATOR)
    there, back = await hub.do(hub.proposal("A", "B", "2:1")), await hub.do(hub.proposal("B", "A", "1:1"))
    first, second = await hub.batch([approve(hub.second, there), approve(hub.second, back)])
    codes = [getattr(getattr(one, "refusal", None), "code", None) for one in (first, second)]
    assert codes == [None, "RATE_CYCLE"]


async def test_a_withdrawal_that_brings_back_a_rate_with_which_points_multiply_is_refused(hub: Hub) -> None:
    await found(hub, RateConsent.OPERATOR)
    generous = await hub.rate("A", "B", "2:1", ends=now() + timedelta(days=1))
    modest = await hub.rate("A", "B", "1:1", ends=now() + timedelta(days=2))
    back = await hub.rate("B", "A", "1:1")
    with pytest.raises(RateCycle):
        await hub.do(commands.WithdrawRate(actor=hub.admin, id=modest.id, reason="x", cancel_quotes=False))
    await hub.do(commands.WithdrawRate(actor=hub.admin, id=generous.id, reason="x", cancel_quotes=False))
    await hub.do(commands.WithdrawRate(actor=hub.admin, id=modest.id, reason="x", cancel_quotes=False))
    await hub.do(commands.WithdrawRate(actor=hub.admin, id=back.id, reason="x", cancel_quotes=False))


async def test_versions_of_a_pair_are_numbered(hub: Hub) -> None:
    await found(hub, RateConsent.OPERATOR)
    versions = [(await hub.do(hub.proposal("A", "B", ratio))).version for ratio in ("1:1", "1:2", "1:3")]
    assert versions == [1, 2, 3]
    assert (await hub.do(hub.proposal("B", "A"))).version == 1


def gift(**terms: Any) -> dict[str, Any]:
    nothing: dict[str, Any] = dict.fromkeys(("percent", "cap", "per_block", "block", "starts", "ends"))
    return {"bonuses": (BonusTerms(**{**nothing, "funded_by": Funding.SOURCE_ISSUER, **terms}),)}


TOMORROW = now() + timedelta(days=1)


@pytest.mark.parametrize(
    ("terms", "noun"),
    [
        ({"target": "A"}, InvalidInput),
        ({"target": "NONE"}, UnknownCurrency),
        ({"numerator": "0"}, InvalidInput),
        ({"denominator": "0"}, InvalidInput),
        ({"numerator": "1.5"}, InvalidInput),
        ({"numerator": "-1"}, InvalidInput),
        ({"minimum": "10", "maximum": "9"}, InvalidInput),
        ({"minimum": "0"}, InvalidAmount),
        ({"maximum": "0.5"}, InvalidAmount),
        ({"step": "0"}, InvalidAmount),
        ({"fee_percent": "100.000001"}, InvalidAmount),
        ({"fee_percent": "-1"}, InvalidAmount),
        ({"fee_percent": "0.0000001"}, InvalidAmount),
        ({"fee_fixed": MoneyText("-1", "CNY")}, InvalidAmount),
        ({"fee_fixed": MoneyText("0.0000001", "CNY")}, InvalidAmount),
        ({"fee_fixed": MoneyText("1", "USD")}, InvalidInput),  # the price is in CNY
        ({"fee_per_point": MoneyText("0.0000000000001", "CNY")}, InvalidAmount),
        ({"settlement_price": MoneyText("1", "XAU")}, UnknownCurrency),
        ({"settlement_price": MoneyText("1", "A")}, UnknownCurrency),
        ({"settlement_price": MoneyText("-0.01", "CNY")}, InvalidAmount),
        ({"starts": TOMORROW, "ends": TOMORROW}, InvalidInput),
        (gift(), InvalidInput),
        (gift(percent="0"), InvalidAmount),
        (gift(percent="-5"), InvalidAmount),
        (gift(percent="5", per_block="1", block="1"), InvalidInput),
        (gift(per_block="1"), InvalidInput),
        (gift(percent="5", block="1"), InvalidInput),
        (gift(per_block="0", block="1"), InvalidAmount),
        (gift(per_block="1", block="0"), InvalidAmount),
        (gift(percent="5", cap="0"), InvalidAmount),
        (gift(percent="5", starts=TOMORROW, ends=TOMORROW), InvalidInput),
        ({"bonuses": gift(percent="1")["bonuses"] * 21}, InvalidInput),
    ],
)
async def test_terms_that_do_not_fit_are_refused(hub: Hub, terms: dict[str, Any], noun: type[Exception]) -> None:
    await found(hub, RateConsent.OPERATOR)
    with pytest.raises(noun):
        await hub.do(hub.proposal(**{"source": "A", "target": "B", **terms}))
