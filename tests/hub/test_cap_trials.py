"""Cap trials: the exposure that is gone through again is the one that there was, at each act and at every level."""

import random
from datetime import datetime
from typing import Any

from hub import cap_trials, lookups
from hub.ledger import commands
from hub.ledger.records import NetView
from hub.money import format_millionths
from tests.conftest import Hub
from tests.hub.ledger import test_defaults as unpaid
from tests.hub.test_set_off import PARENTS, close, found, owing

CNY = 1_000_000
Seen = list[tuple[datetime, dict[str, int], bool]]  # when, everybody's exposure, and whether it was an act


async def look(hub: Hub, seen: Seen, *, act: bool = False) -> None:
    """Remember every node's exposure as it is read after a batch."""
    async with hub.reading.open(hub.admin) as reader:
        codes = reader.configuration.institution_codes
        told = await lookups.positions(reader, {codes[code] for code in PARENTS})
    exposures = {code: next((one.exposure for one in told.get(codes[code], [])), 0) for code in PARENTS}
    [row] = await hub.sql("SELECT at FROM journal_entry ORDER BY batch DESC LIMIT 1")
    seen.append((row["at"], exposures, act))


async def settle(hub: Hub, window: int, seen: Seen) -> None:
    """Pay a window's nets; who owes most has not paid, its loss is borne, and half of it comes later."""

    async def due() -> list[tuple[str, NetView]]:
        async with hub.reading.open(hub.admin) as reader:
            codes = {id: one.code for id, one in reader.configuration.institutions.items()}
            return [
                (codes[one.net.institution], one) for one in (await lookups.nets(reader, {window}))[window] if one.due
            ]

    async def pay(code: str, amount: int) -> None:
        text = format_millionths(amount, "CNY")
        rest: dict[str, Any] = {"currency": "CNY", "value_date": None, "reference": "bank", "actor": hub.admin}
        key = f"{window} {code} {amount}"
        await hub.do(commands.ConfirmSettlement(key=key, window=window, institution=code, amount=text, **rest))
        await look(hub, seen)

    nets = await due()
    debtor, worst = min(nets, key=lambda one: one[1].due)
    terms = commands.SetCover(
        actor=hub.admin,
        institution=debtor,
        currency="CNY",
        needed=False,
        line="0",
        haircut_percent="0",
        fund="0",
        due_days=0,
    )
    await hub.do(terms)
    for code, one in nets:
        if one.due < 0 and code != debtor:
            await pay(code, one.due)
    asked = commands.ProposeDefault(actor=hub.admin, window=window, institution=debtor, currency="CNY", reason="r")
    made = await hub.do(asked)
    await hub.do(commands.ApproveDefault(actor=hub.second, id=made.id))
    await look(hub, seen)
    await hub.do(commands.CoverDefaults(actor=hub.admin, window=window, currency="CNY"))
    await look(hub, seen)
    for code, one in await due():
        await pay(code, one.due)
    half = format_millionths(-worst.due // 2, "CNY")
    await hub.do(commands.RepayDefault(actor=hub.admin, id=made.id, amount=half, value_date=None, reference="late"))
    await look(hub, seen)


async def test_every_exposure_of_a_course_is_told_as_it_was(hub: Hub) -> None:
    """Acts between all levels, some below an entity that forbids set-off, over windows that close and are settled
    though somebody does not pay; what is told of each node is held against what was read of it at the time."""
    await found(hub)
    draw, seen, windows = random.Random(3), Seen(), list[int]()
    for turn in range(30):
        payer, payee = draw.sample(sorted(PARENTS), 2)
        await hub.do(owing(hub, str(turn), payer, payee, draw.randint(1, 25) * 2))
        await look(hub, seen, act=True)
        if turn in (7, 15, 22):
            windows.append(await close(hub, f"close {turn}"))
            await look(hub, seen)
        if turn in (11, 19):
            await settle(hub, windows.pop(0), seen)
    statuses = [row[0] for row in await hub.sql("SELECT status FROM settlement_window ORDER BY number")]
    assert statuses == ["SETTLED", "SETTLED", "CLOSED", "OPEN"]
    middle = next(place for place, (_, _, act) in enumerate(seen) if act and place > 12)
    refused = 0
    async with hub.reading.open(hub.admin) as reader:
        for code in PARENTS:
            course = [(at, exposures[code], act) for at, exposures, act in seen]
            cap = sorted(exposure for _, exposure, _ in course)[len(course) // 2]
            for first in (0, middle):
                node, since = reader.configuration.institution_codes[code], course[first][0]
                done = await cap_trials.trial(reader, node, "CNY", cap, since)
                before = course[first - 1][1] if first else 0
                told = list(zip([before, *(one[1] for one in course[first:])], course[first:], strict=False))
                peak = max([before, *(exposure for _, (_, exposure, _) in told)])
                worse = [(at, now) for was, (at, now, act) in told if act and now > cap and now > was]
                assert (done.exposure, done.peak) == (course[-1][1], peak), code
                assert [(one.at, one.exposure) for one in done.acts] == worse, code
                if peak > before:
                    assert done.peak_at == next(at for _, (at, exposure, _) in told if exposure == peak)
                refused += len(worse)
            # from the opening of the first window that is not settled, which was after the first had closed
            assert (await cap_trials.trial(reader, node, "CNY", cap, None)).since > course[7][0]
    assert refused > 20


async def test_a_net_is_settled_when_all_currencies_are_and_windows_follow_on_those_of_their_model(hub: Hub) -> None:
    """After each step DESK comes to owe one more CNY; what it and DEBTOR above it then owe is what is told."""
    await unpaid.found(hub)
    await unpaid.euros(hub)
    await hub.model("CARD", ["DEBTOR", "ONE"])
    read: dict[str, list[int]] = {"DEBTOR": [], "DESK": []}

    async def probe() -> None:
        await unpaid.owe(hub, "DESK", "TWO", 1)
        for code, listed in read.items():
            listed.append((await unpaid.exposures(hub, code))["CNY"])

    await unpaid.owe(hub, "ONE", "DEBTOR", 10)
    await unpaid.owe(hub, "DESK", "ONE", 10)  # DEBTOR's net in CARD is nothing
    await unpaid.owe(hub, "DESK", "TWO", 5, "DE")
    await probe()
    window = await unpaid.close(hub)
    await probe()
    await unpaid.close(hub, "CARD")  # which settles what DESK owes in it
    await probe()
    await unpaid.confirm(hub, window, "DEBTOR", "-5", "EUR")
    await probe()
    await unpaid.declare(hub, window)
    await probe()
    await unpaid.bear(hub, window)
    await unpaid.confirm(hub, window, "TWO", "5", "EUR")
    await unpaid.owe(hub, "DESK", "TWO", 5, "DE")
    later = await unpaid.close(hub)
    await probe()
    await unpaid.confirm(hub, later, "DEBTOR", "-4", "CNY")  # probes 2 to 5
    await probe()
    await unpaid.confirm(hub, later, "DEBTOR", "-5", "EUR")
    await probe()
    # DESK owes 10 in CARD and 1; closing CARD leaves 2, and 1 more. The declaration takes 1, and what is paid of the
    # next window 4, with its EUR: 4 + 1 - 1, and 6 + 1 - 4.
    assert read["DESK"] == [11, 12, 3, 4, 4, 5, 6, 3]
    # DEBTOR owes its 1 on; what it gets in CARD is set off there.
    assert read["DEBTOR"] == [1, 2, 3, 4, 5, 6, 7, 4]
    [[since]] = await hub.sql("SELECT min(opened_at) FROM settlement_window")
    async with hub.reading.open(hub.admin) as reader:
        for code, listed in read.items():
            node = reader.configuration.institution_codes[code]
            done = await cap_trials.trial(reader, node, "CNY", 0, since)
            assert [one.exposure // CNY for one in done.acts][-len(listed) :] == listed, code
            assert (done.exposure, done.peak) == (listed[-1] * CNY, max(listed) * CNY)


async def test_an_institution_that_never_owed_has_no_peak(hub: Hub) -> None:
    await found(hub)
    await hub.do(owing(hub, "1", "SHOP", "DESK", 3))
    async with hub.reading.open(hub.admin) as reader:
        codes = reader.configuration.institution_codes
        done = await cap_trials.trial(reader, codes["DESK"], "CNY", 0, None)
        assert (done.exposure, done.peak, done.peak_at, done.refused) == (0, 0, None, 0)
        owed = await cap_trials.trial(reader, codes["SHOP"], "CNY", 3 * CNY - 1, None)
        assert (owed.exposure, owed.peak, owed.refused) == (3 * CNY, 3 * CNY, 1)
        assert (await cap_trials.trial(reader, codes["SHOP"], "CNY", 3 * CNY, None)).refused == 0
        assert (await cap_trials.trial(reader, codes["SHOP"], "EUR", 0, None)).peak == 0
