"""Unit values: which one is in force at an act, and that what was done keeps its own."""

from datetime import timedelta

import pytest

from hub import clock
from hub.access import Role
from hub.analysis import flows
from hub.audit import audit
from hub.currencies import RateConsent
from hub.errors import InvalidAmount, InvalidInput, NotAccepted
from hub.ids import batch_of
from hub.ledger import commands
from hub.ledger.commands import Party
from hub.limits import Act, Measure
from hub.terms import Step
from tests.conftest import Hub, Pass
from tests.hub.agreed import agree, unit_value
from tests.hub.ledger.test_exchange_acts import redemption

CNY = 1_000_000


async def test_what_depends_on_a_unit_value_takes_the_one_in_force_at_the_act(hub: Hub, pass_: Pass) -> None:
    for code in ("BANK", "SHOP", "AIR"):
        await hub.institution(code)
    await hub.currency("BP", "BANK", rate_consent=RateConsent.ISSUER)  # 0.05
    await hub.currency("MILE", "AIR")
    await hub.issue("BP", "BANK", "al", "10000")
    await hub.limit("SPENT", "10", act=Act.REDEEM, measure=Measure.MONEY)
    bank, _ = await hub.key("BANK", Role.INSTITUTION_ADMIN)

    def redeem(key: str, amount: str = "100") -> commands.Redeem:
        return redemption(hub, amount, key=key, currency="BP", customer=Party("BANK", "al"))

    first = await hub.do(redeem("first"))
    proposed = await hub.do(unit_value(hub, "0.01"))
    assert proposed.awaiting == (Step.ISSUER, Step.OPERATOR)
    with pytest.raises(NotAccepted):
        await hub.do(commands.ApproveTerms(actor=hub.second, id=proposed.id))
    await hub.do(commands.AcceptTerms(actor=bank, id=proposed.id))
    await hub.do(commands.ApproveTerms(actor=hub.second, id=proposed.id))
    day = clock.now() + timedelta(days=2)
    campaign = unit_value(hub, "0.03", actor=bank, starts=day, ends=day + timedelta(days=1))
    await agree(hub, campaign)
    second = await hub.do(redeem("second"))
    assert (first.value, second.value, second.terms) == (5 * CNY, CNY, None)
    rate = await hub.do(hub.proposal("MILE", "BP"))
    assert rate.price == 10**10  # what a rate settles at that names nothing: 0.01
    # Of 10.00 a day 6.00 are spent, 401 × 0.01 = 4.01 are too much; at 0.05 80 points would have been.
    assert (await hub.try_(redeem("much", "401"))).refusal is not None
    assert (await hub.do(redeem("rest", "400"))).value == 4 * CNY
    pass_(timedelta(days=2, hours=1))
    assert (await hub.do(redeem("campaign"))).value == 3 * CNY
    pass_(timedelta(days=1))
    assert (await hub.do(redeem("afterwards"))).value == CNY  # what was before it is back
    again = await hub.try_(redeem("first"))
    assert (again.replayed, again.result) == (True, first)
    for wrong, refusal in (
        (unit_value(hub, "0.01", "USD"), InvalidInput),
        (unit_value(hub, "0"), InvalidAmount),
        (unit_value(hub, "0.01", starts=clock.now() - timedelta(days=1)), InvalidInput),
    ):
        with pytest.raises(refusal):
            await hub.do(wrong)
    [[early]] = await hub.sql("SELECT min(at) FROM journal_entry WHERE batch > $1", batch_of(first.id))
    async with hub.reading.open(hub.admin) as reader:
        of = [one for one in reader.configuration.currencies.values() if one.code == "BP"]
        [then], [now] = await flows(reader, of, [], until=early), await flows(reader, of, [])
    assert then.liability == 9_900 * CNY // 20  # 10,000 less 100, at the 0.05 of that time
    assert now.liability == 9_200 * CNY // 100  # less 100, 400, 100 and 100 more, at 0.01
    async with hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()
