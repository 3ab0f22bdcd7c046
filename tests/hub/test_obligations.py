"""Obligations: each two participants of a window net with one another, and pay one another."""

import random
from collections import Counter
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub import lookups, model_lookups, postgres
from hub.audit import audit
from hub.errors import Duplicate, InvalidAmount, InvalidInput, LimitExceeded, NotFound, WindowOrder
from hub.ledger import commands
from hub.ledger.commands import Party
from hub.levels import roll_up
from hub.models import ModelKind
from hub.money import format_millionths
from hub.obligations import net_pairs, nets_of, pair_of, participants
from tests.conftest import Hub
from tests.hub.audited import check_every

CENT = 10_000  # millionths
CNY = 1_000_000
NAMES = ("A", "B", "C", "D", "E")


def test_each_pair_is_rounded_by_itself_to_the_nearest_minor_unit() -> None:
    # 0.014 is nearer to 0.01, 0.016 to 0.02; of a half the lower code has the better of it, on either side
    owed = {("A", "B"): 14_000, ("A", "C"): -16_000, ("B", "C"): 15_000, ("C", "D"): -15_000, ("A", "D"): 0}
    rounded = {("A", "B"): CENT, ("A", "C"): -2 * CENT, ("B", "C"): 2 * CENT, ("C", "D"): -CENT, ("A", "D"): 0}
    assert net_pairs(owed, CENT) == rounded


def test_a_triangle_is_three_obligations_in_pairs_and_three_nets_among_all() -> None:
    # A owes B 100, B owes C 80, C owes A 50
    pairs = net_pairs({("A", "B"): -100 * CNY, ("B", "C"): -80 * CNY, ("A", "C"): 50 * CNY}, CENT)
    assert pairs == {("A", "B"): -100 * CNY, ("B", "C"): -80 * CNY, ("A", "C"): 50 * CNY}
    assert nets_of(pairs) == {"A": -50 * CNY, "B": 20 * CNY, "C": 30 * CNY}


def test_what_stands_below_a_participant_is_settled_by_it() -> None:
    assert participants({"DESK": "EAST", "EAST": "A"}, ["DESK", "A", "B"]) == {"DESK": "A", "A": "A", "B": "B"}


ACTS = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES), st.integers(1, 10**9)), max_size=40)


@settings(deadline=None)
@given(ACTS, st.sampled_from([1_000_000, 10_000, 1_000]), st.randoms(use_true_random=False))
def test_pairs_agree_with_exact_fractions_in_any_order_and_sum_to_zero(
    acts: list[tuple[str, str, int]], unit: int, shuffler: random.Random
) -> None:
    acts = [act for act in acts if act[0] != act[1]]

    def owed(of: list[tuple[str, str, int]]) -> dict[tuple[str, str], int]:
        sums: Counter[tuple[str, str]] = Counter()
        for payer, payee, amount in of:
            pair = pair_of(payer, payee)
            sums[pair] += -amount if pair[0] == payer else amount
        return dict(sums)

    pairs = net_pairs(owed(acts), unit)
    for (one, other), net in pairs.items():
        exact = Fraction(sum(a for p, q, a in acts if (p, q) == (other, one)), unit)
        exact -= Fraction(sum(a for p, q, a in acts if (p, q) == (one, other)), unit)
        units = Fraction(net, unit)
        assert units.denominator == 1
        assert abs(units - exact) <= Fraction(1, 2)
        assert abs(units - exact) < Fraction(1, 2) or units > exact  # a half is the lower code's
    nets = nets_of(pairs)
    assert sum(nets.values()) == 0
    for name, net in nets.items():  # a participant's net is the sum of what its counterparties pay it
        assert net == sum(n if a == name else -n for (a, b), n in pairs.items() if name in (a, b))
    again = list(acts)
    shuffler.shuffle(again)
    assert net_pairs(owed(again), unit) == pairs


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(["A", "B", "C", "A1", "A2", "A11", "B1"]), st.integers(-(10**8), 10**8)),
    st.dictionaries(st.sampled_from([("A", "B"), ("A", "C"), ("B", "C")]), st.integers(-(10**8), 10**8)),
)
def test_a_participants_statement_is_its_own_acts_and_its_childrens_nets_whatever_its_pairs_come_to(
    own: dict[str, int], pairs: dict[tuple[str, str], int]
) -> None:
    parents = {"A1": "A", "A2": "A", "A11": "A1", "B1": "B"}
    settled = nets_of(net_pairs(pairs, CENT))
    levels = roll_up(own, parents, CENT, settled)
    exact = {code: of.own_exact for code, of in levels.items()}
    for code in ("A11", "A1", "A2", "B1"):  # what is below comes to within a minor unit of its exact value
        if code in levels:
            exact[parents[code]] += exact[code]
            assert abs(levels[code].net - exact[code]) < CENT
    for code, of in levels.items():
        assert of.net == of.own + of.below_credit - of.below_debit
        assert of.net % CENT == 0
        if of.parent is None:
            assert of.net == settled.get(code, 0)


_numbers = iter(range(1, 1_000_000))


async def found(hub: Hub, *codes: str, parents: dict[str, str] | None = None, value: str = "0.05") -> None:
    """These, each with points of its own at 0.05 CNY that everybody takes, in a model that nets in pairs."""
    above = parents or {}
    for code in (*codes, *above):
        await hub.institution(code, parent=above.get(code, "HUB"))
        await hub.currency(f"{code}-P", code, unit_value=value)
        await hub.issue(f"{code}-P", code, "alice", "10000000")
    await hub.model("PAIRS", codes, kind=ModelKind.DEFERRED_NET_BILATERAL)


def owing(hub: Hub, payer: str, payee: str, points: int) -> commands.Redeem:
    """``payer`` comes to owe ``payee`` so many points at 0.05 CNY."""
    return commands.Redeem(
        actor=hub.admin,
        key=f"o{next(_numbers)}",
        currency=f"{payer}-P",
        customer=Party(payer, "alice"),
        merchant=payee,
        amount=str(points),
        memo=None,
    )


async def close(hub: Hub) -> int:
    window = await hub.window("PAIRS")
    await hub.do(commands.CloseWindow(actor=hub.admin, key=f"c{next(_numbers)}", window=window))
    return window


def confirm(hub: Hub, window: int, of: str, by: str | None, amount: str) -> commands.ConfirmSettlement:
    return commands.ConfirmSettlement(
        actor=hub.admin,
        key=f"p{next(_numbers)}",
        window=window,
        institution=of,
        currency="CNY",
        amount=amount,
        value_date="2026-01-31",
        reference="bank",
        counterparty=by,
    )


async def owed(hub: Hub, window: int) -> dict[str, int]:
    """The obligations of a window, in hundredths."""
    codes = {id: one.code for id, one in hub.engine.configuration.institutions.items()}
    rows = await hub.sql("SELECT debtor_id, creditor_id, amount FROM obligation WHERE window_id = $1", window)
    return {f"{codes[row[0]]} owes {codes[row[1]]}": row[2] // CENT for row in rows}


async def nets(hub: Hub, window: int) -> dict[str, int]:
    codes = {id: one.code for id, one in hub.engine.configuration.institutions.items()}
    rows = await hub.sql("SELECT institution_id, net FROM window_net WHERE window_id = $1", window)
    return {codes[row[0]]: row[1] // CENT for row in rows}


async def exposures(hub: Hub) -> dict[str, int]:
    """In hundredths, without zeros."""
    async with hub.reading.open(hub.admin) as reader:
        codes = reader.configuration.institution_codes
        found_ = await lookups.positions(reader, set(codes.values()))
    return {
        code: found_[id][0].exposure // CENT for code, id in codes.items() if id in found_ and found_[id][0].exposure
    }


async def status(hub: Hub, window: int) -> str:
    return str((await hub.sql("SELECT status FROM settlement_window WHERE id = $1", window))[0][0])


async def settlement_accounts(hub: Hub) -> set[int]:
    return {row[0] for row in await hub.sql("SELECT credits_posted - debits_posted FROM account WHERE kind = 5")}


async def clean(hub: Hub) -> None:
    async with hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()


async def triangle(hub: Hub) -> None:
    """A owes B 100, B owes C 80, C owes A 50."""
    for payer, payee, cny in (("A", "B", 100), ("B", "C", 80), ("C", "A", 50)):
        await hub.do(owing(hub, payer, payee, cny * 20))


async def test_a_triangle_is_paid_pair_by_pair_and_who_does_not_pay_harms_its_creditor_alone(
    hub: Hub, postgres_server: postgres.Server
) -> None:
    await found(hub, "A", "B", "C")
    await triangle(hub)
    # What others owe somebody helps nobody: each owes what it owes its counterparties one by one.
    assert await exposures(hub) == {"A": 100_00, "B": 80_00, "C": 50_00}
    async with hub.reading.open(hub.admin) as reader:
        [window_] = await lookups.windows_page(reader, None, "PAIRS", None, 5)
        previewed = await model_lookups.preview(reader, window_)
    window = await close(hub)
    stated = await owed(hub, window)
    assert stated == {"A owes B": 100_00, "B owes C": 80_00, "C owes A": 50_00}
    told = {one.obligation.amount // CENT for view in previewed for one in view.obligations}
    assert told == {50_00, 80_00, 100_00}
    assert await nets(hub, window) == {"A": -50_00, "B": 20_00, "C": 30_00}
    assert {one.net.net for one in previewed} == {-50 * CNY, 20 * CNY, 30 * CNY}
    await clean(hub)
    for wrong, error in (
        (confirm(hub, window, "A", None, "-50"), InvalidInput),  # with whom?
        (confirm(hub, window, "A", "B", "-99"), InvalidAmount),
        (confirm(hub, window, "A", "B", "100"), InvalidAmount),  # the other way round
        (confirm(hub, window, "A", "HUB", "-100"), NotFound),
        (confirm(hub, await hub.window("PAIRS"), "A", "B", "-100"), WindowOrder),
    ):
        with pytest.raises(error):
            await hub.do(wrong)
    await hub.do(owing(hub, "B", "C", 20))  # the next window: B owes C 1
    following = await close(hub)
    await hub.do(confirm(hub, window, "B", "C", "-80"))
    assert (await status(hub, window), await exposures(hub)) == ("SETTLING", {"A": 100_00, "B": 1_00, "C": 50_00})
    await hub.do(confirm(hub, following, "C", "B", "1"))  # A has not paid B, and B and C go on
    assert (await status(hub, following), await exposures(hub)) == ("SETTLING", {"A": 100_00, "C": 50_00})
    with pytest.raises(Duplicate):
        await hub.do(confirm(hub, following, "C", "B", "1"))
    await clean(hub)
    await check_every(TAMPERED, hub, postgres_server)
    async with hub.reading.open(hub.admin) as reader:
        views = (await lookups.nets(reader, [window]))[window]
        codes = reader.configuration.institutions
    seen = {codes[one.net.institution].code: (one.paid, one.confirmed, one.due // CENT) for one in views}
    assert seen == {"A": (False, False, -50_00), "B": (False, False, 100_00), "C": (False, False, -50_00)}
    await hub.do(confirm(hub, window, "C", "A", "-50"))
    await hub.do(confirm(hub, window, "A", "B", "-100"))
    assert [await status(hub, one) for one in (window, following)] == ["SETTLED", "SETTLED"]
    assert (await exposures(hub), await settlement_accounts(hub)) == ({}, {0})
    await clean(hub)


async def test_acts_below_participants_roll_up_to_them_and_each_statement_still_adds_up(hub: Hub) -> None:
    await found(hub, "A", "B", "C", parents={"EAST": "A", "DESK": "EAST", "SHOP": "B"}, value="0.0033")
    acts = (("DESK", "SHOP", 100), ("DESK", "C", 50), ("EAST", "B", 10), ("SHOP", "A", 7), ("C", "SHOP", 5))
    for payer, payee, points in (*acts, ("DESK", "A", 3)):  # the last one stays within A
        await hub.do(owing(hub, payer, payee, points))
    # A and B: (100 + 10 - 7) × 0.0033 = 0.3399; A and C: 50 × 0.0033 = 0.165, a half, the lower code's;
    # C and B: 5 × 0.0033 = 0.0165
    window = await close(hub)
    assert await owed(hub, window) == {"A owes B": 34, "A owes C": 16, "C owes B": 2}
    told = await nets(hub, window)
    assert {code: told[code] for code in ("A", "B", "C")} == {"A": -50, "B": 36, "C": 14}
    # DESK: -(100 + 50 + 3) × 0.0033 = -0.5049; EAST with DESK: -0.0330 more; SHOP: (100 - 7 + 5) × 0.0033 = 0.3234
    assert (told["DESK"], told["EAST"], told["SHOP"]) == (-51, -54, 32)
    await clean(hub)
    for payer, payee, amount in (("A", "B", "-0.34"), ("A", "C", "-0.16"), ("C", "B", "-0.02")):
        with pytest.raises(InvalidInput):  # what is below pays its parent
            await hub.do(confirm(hub, window, "SHOP", "A", "0.34"))
        await hub.do(confirm(hub, window, payer, payee, amount))
    assert (await status(hub, window), await exposures(hub), await settlement_accounts(hub)) == ("SETTLED", {}, {0})
    rows = await hub.sql(
        "SELECT bool_and(subtree = 0 AND apart = 0 AND gross = 0) FROM position WHERE window_id = $1", window
    )
    assert rows[0][0]
    await clean(hub)


async def test_a_cap_is_held_against_what_is_owed_pair_by_pair(hub: Hub) -> None:
    await found(hub, "A", "B", "C")
    await hub.cap("A", "12")
    await hub.do(owing(hub, "C", "A", 2_000))  # 100, which helps A with C alone
    await hub.do(owing(hub, "A", "C", 2_000))
    await hub.do(owing(hub, "A", "B", 240))  # 12
    with pytest.raises(LimitExceeded):
        await hub.do(owing(hub, "A", "B", 1))
    await hub.do(owing(hub, "B", "A", 20))
    await hub.do(owing(hub, "A", "B", 20))
    await clean(hub)


TAMPERED: dict[str, tuple[str, str]] = {
    "an obligation's amount": ("UPDATE obligation SET amount = amount + 10000 WHERE amount = 100000000", "OBLIGATION"),
    "an obligation's debtor": (
        "UPDATE obligation SET debtor_id = creditor_id, creditor_id = debtor_id WHERE amount = 100000000",
        "OBLIGATION",
    ),
    "an obligation that is gone": ("DELETE FROM obligation WHERE amount = 50000000", "OBLIGATION"),
    "an obligation that is made up": (
        "INSERT INTO obligation SELECT journal_id, id + 1000, window_id, creditor_id, debtor_id, 'USD', amount"
        " FROM obligation WHERE amount = 50000000",
        "OBLIGATION",
    ),
    "a payment of another obligation": (
        "UPDATE obligation_payment SET obligation_id = (SELECT id FROM obligation WHERE amount = 50000000)"
        " WHERE obligation_id = (SELECT id FROM obligation WHERE amount = 1000000)",
        "OBLIGATION_PAYMENT",
    ),
    "a payment that is gone": ("DELETE FROM obligation_payment", "OBLIGATION_PAYMENT"),
    "a payment that is made up": (
        "INSERT INTO obligation_payment SELECT journal_id, id, (SELECT max(movement_id) + 5 FROM obligation_payment),"
        " NULL, 'x' FROM obligation WHERE amount = 100000000",
        "OBLIGATION_PAYMENT",
    ),
    "a payment's reference": ("UPDATE obligation_payment SET reference = 'x'", "ENTRY_CONTENT"),
    "what a pair has come to": ("UPDATE pair_position SET debits = debits + 1", "PAIR_POSITION"),
    "a pair that is gone": ("DELETE FROM pair_position", "PAIR_POSITION"),
    "what counts gross": ("UPDATE position SET gross = gross + 1", "POSITION"),
    "a model's kind": (
        "UPDATE configuration_change SET document = replace(document::text, 'BILATERAL', 'MULTILATERAL')"
        " WHERE noun = 'model'",
        "OBLIGATION",
    ),
}


async def test_nothing_is_declared_unpaid_in_pairs(hub: Hub) -> None:
    await found(hub, "A", "B")
    await hub.do(owing(hub, "A", "B", 20))
    window = await close(hub)
    asked: dict[str, Any] = {"window": window, "institution": "A", "currency": "CNY", "reason": "no money"}
    with pytest.raises(InvalidInput) as refused:
        await hub.do(commands.ProposeDefault(actor=hub.admin, **asked))
    assert refused.value.details == {"model": "PAIRS", "kind": "DEFERRED_NET_BILATERAL"}


async def test_whoever_forbids_set_off_nets_in_pairs_by_itself_and_everything_comes_back_to_zero(hub: Hub) -> None:
    """Random acts over levels, some of whose entities forbid set-off; the audit counts every exposure again."""
    parents = {"A1": "A", "A11": "A1", "B1": "B", "B2": "B"}
    await found(hub, "A", "B", "C", parents=parents, value="0.0033")
    await hub.institution("ENTITY", parent="A")
    await hub.do(commands.SetSetOff(actor=hub.admin, code="ENTITY", allowed=False))
    await close(hub)  # it settles by itself from the next window on
    await hub.currency("ENTITY-P", "ENTITY", unit_value="0.0033")
    await hub.issue("ENTITY-P", "ENTITY", "alice", "10000000")
    dice, nodes = random.Random(60), ["A", "B", "C", "ENTITY", *parents]
    windows = []
    for _ in range(3):
        pairs = [dice.sample(nodes, 2) for _ in range(25)]
        answers = await hub.batch([owing(hub, payer, payee, dice.randint(1, 999)) for payer, payee in pairs])
        assert all(getattr(one, "refusal", one) is None for one in answers)
        windows.append(await close(hub))
    await clean(hub)
    codes = {id: one.code for id, one in hub.engine.configuration.institutions.items()}
    due = await hub.sql("SELECT window_id, debtor_id, creditor_id, amount FROM obligation ORDER BY id")
    assert {codes[row[1]] for row in due} | {codes[row[2]] for row in due} == {"A", "B", "C", "ENTITY"}
    by_pair: dict[frozenset[str], list[commands.ConfirmSettlement]] = {}
    for window, debtor, creditor, amount in due:
        payment = confirm(hub, window, codes[creditor], codes[debtor], format_millionths(amount, "CNY"))
        by_pair.setdefault(frozenset((codes[debtor], codes[creditor])), []).append(payment)
    pairs_left = list(by_pair.values())
    while pairs_left:  # each pair in the order of its windows, pairs in any
        queue = dice.choice(pairs_left)
        await hub.do(queue.pop(0))
        pairs_left = [one for one in pairs_left if one]
    assert [await status(hub, one) for one in windows] == ["SETTLED"] * 3
    assert (await exposures(hub), await settlement_accounts(hub)) == ({}, {0})
    assert (await hub.sql("SELECT count(*) FROM position WHERE subtree <> 0 OR apart <> 0 OR gross <> 0"))[0][0] == 0
    await clean(hub)
