"""Counting under limits, against a count by brute force that shares nothing with it: no counters, no entries."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import floor
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.access import Credential, Role
from hub.configuration import Configuration, with_changes
from hub.errors import InsufficientPoints, LimitExceeded
from hub.institutions import Kind, Status
from hub.ledger import acts, commands, reversals
from hub.ledger.applying import apply
from hub.ledger.book import Book, Original
from hub.ledger.commands import Party
from hub.ledger.draft import Draft
from hub.ledger.records import AccountKind, Customer, Movement, MovementKind, Window, WindowStatus
from hub.limits import Act, Limit, Measure, Mode, Period, Subject
from tests.hub.test_limits import AIR, BANK, BP, BRANCH, HUB, LIMIT, NOW, TREE

ROOT = Credential(9, HUB, "root", "l", (Role.OPERATOR_ADMIN,), "", NOW, None, None)
NODES = [replace(TREE[HUB], code="HUB", kind=Kind.OPERATOR), *(TREE[id] for id in (2, BANK, BRANCH, AIR))]
HOMES = {"ann": BANK, "ben": BANK, "cat": BRANCH, "dan": AIR}
PEOPLE = {name: Customer(50 + place, home, name) for place, (name, home) in enumerate(HOMES.items())}


def book(*limits: Limit) -> Book:
    """A book whose customers stand ready; it is used for many batches, each at its own time."""
    made = Book(1000, NOW, with_changes(Configuration(), 1, [*NODES, ROOT, BP, *limits]))
    made.windows[7] = Window(id=7, model="default", number=1, ordinal=1, status=WindowStatus.OPEN, opened_at=NOW)
    made.customers.update({(one.institution, name): one for name, one in PEOPLE.items()})
    assert all(TREE[id].status is Status.ACTIVE for id in TREE)
    return made


def party(name: str) -> Party:
    return Party(TREE[HOMES[name]].code, name)


def take(made: Book, draft: Draft) -> Movement:
    """Take a draft in, as a batch does, and keep its act for a reversal."""
    posted = apply(made, draft)
    [moved] = draft.movements
    if moved.kind is not MovementKind.REVERSE:
        made.originals[moved.id] = Original(moved, [leg for _, _, leg, _, _ in posted], None, 0)
        made.limit_entries[moved.id] = list(draft.limit_entries)
    return moved


def issue(made: Book, name: str, units: int) -> Movement:
    nothing: dict[str, Any] = {"earned_at": None, "expires_at": None, "memo": None}
    amount = f"{units // 100}.{units % 100:02}"
    command = commands.Issue(actor=ROOT.id, key="k", currency="BP", to=party(name), amount=amount, **nothing)
    return take(made, acts.issue(made, command))


def transfer(made: Book, giver: str, taker: str, units: int) -> Movement:
    command = commands.Transfer(
        actor=ROOT.id, key="k", currency="BP", source=party(giver), target=party(taker),
        amount=f"{units // 100}.{units % 100:02}", memo=None,
    )  # fmt: skip
    return take(made, acts.transfer(made, command))


def redeem(made: Book, name: str, units: int) -> Movement:
    command = commands.Redeem(
        actor=ROOT.id, key="k", currency="BP", customer=party(name), merchant=TREE[AIR].code,
        amount=f"{units // 100}.{units % 100:02}", memo=None,
    )  # fmt: skip
    return take(made, acts.redeem(made, command))


def reverse(made: Book, id: int, units: int) -> Movement:
    command = commands.Reverse(
        actor=ROOT.id, key="k", id=id, amount=f"{units // 100}.{units % 100:02}", reason="returned"
    )
    return take(made, reversals.reverse(made, command))


def limit(number: int, **terms: Any) -> Limit:
    return replace(LIMIT, id=100 + number, family=100 + number, code=f"l{number}", **terms)


# --- by hand ----------------------------------------------------------------------------------------------------------


def test_an_act_uses_a_day_s_headroom_until_midnight_in_the_limit_s_zone() -> None:
    made = book(limit(1, amount=10_000, zone="America/New_York", mode=Mode.CLIP, starts=NOW - timedelta(days=900)))
    made.at = datetime(2024, 3, 10, 5, 0, tzinfo=UTC)  # midnight; the day has 23 hours
    assert issue(made, "ann", 9_000).amount == 9_000
    made.at = datetime(2024, 3, 11, 3, 59, 59, 999_999, tzinfo=UTC)
    assert issue(made, "ann", 9_000).amount == 1_000
    made.at += timedelta(microseconds=1)
    assert issue(made, "ann", 9_000).amount == 9_000


def test_what_a_reversal_gives_back_goes_to_the_period_of_the_act() -> None:
    made = book(limit(1, amount=10_000, mode=Mode.CLIP))
    yesterday = issue(made, "ann", 10_000)
    made.at += timedelta(days=1)
    issue(made, "ann", 4_000)
    reverse(made, yesterday.id, 7_000)
    assert made.limit_used == {(101, 50, "2026-03-01"): 3_000, (101, 50, "2026-03-02"): 4_000}
    assert issue(made, "ann", 10_000).amount == 6_000


def test_an_act_before_the_limit_gives_nothing_back_to_it() -> None:
    made = book()
    before = issue(made, "ann", 10_000)
    made.configuration = with_changes(made.configuration, 2, [limit(1, amount=500)])
    issue(made, "ann", 500)
    reverse(made, before.id, 10_000)
    assert made.limit_used == {(101, 50, "2026-03-01"): 500}


def test_money_is_given_back_in_shares_that_end_exactly() -> None:
    """1.00 point is 33,333.3 millionths, so 33,333: in all ⌊33,333 × 33 / 100⌋ = 10,999 are given back, then
    ⌊33,333 × 66 / 100⌋ = 21,999, then everything."""
    made = book(limit(1, amount=10**9, measure=Measure.MONEY))
    done = issue(made, "ann", 100)
    key, left = (101, 50, "2026-03-01"), []
    for units in (33, 33, 34):
        left.append(made.limit_used[key])
        reverse(made, done.id, units)
    assert [*left, made.limit_used[key]] == [33_333, 22_334, 11_334, 0]


def test_a_new_customer_and_a_new_account_are_counted_from_their_first_act() -> None:
    made = book(limit(1, amount=100, subject=Subject.ACCOUNT, mode=Mode.CLIP), limit(2, amount=150, mode=Mode.CLIP))
    assert issue(made, "ann", 90).amount == 90
    account = made.accounts[AccountKind.CUSTOMER, PEOPLE["ann"].id, "BP"]
    assert made.limit_used == {(101, account.id, "2026-03-01"): 90, (102, 50, "2026-03-01"): 90}


def test_without_a_limit_that_concerns_it_an_act_counts_nothing() -> None:
    made = book(limit(1, act=Act.REDEEM), limit(2, institution=AIR), limit(3, amount=None), limit(4, currency=21))
    draft = acts.issue(
        made,
        commands.Issue(
            actor=ROOT.id,
            key="k",
            currency="BP",
            to=party("ann"),
            amount="1",
            earned_at=None,
            expires_at=None,
            memo=None,
        ),
    )
    assert (draft.limit_entries, draft.clippings) == ([], [])


# --- by brute force ---------------------------------------------------------------------------------------------------


@dataclass
class Done:
    """What was done: which sides it has, when, of how many units, and how many of them were reversed."""

    id: int
    sides: list[tuple[Act, str]]
    at: datetime
    units: int
    undone: int = 0


def worth(units: int) -> int:
    exact = Fraction(units, 100) * Fraction(333_333, 10**7) * 10**6
    return floor(exact + Fraction(1, 2))


ABOVE = {BANK: {BANK, 2, HUB}, BRANCH: {BRANCH, BANK, 2, HUB}, AIR: {AIR, HUB}}


def binds(one: Limit, name: str) -> bool:
    return one.institution is None or one.institution in ABOVE[HOMES[name]]


def same_period(one: Limit, a: datetime, b: datetime) -> bool:
    zone = ZoneInfo(one.zone)
    dates = [(at.year, at.month, at.day) for at in (a.astimezone(zone), b.astimezone(zone))]
    parts = {Period.DAY: 3, Period.MONTH: 2, Period.YEAR: 1}[one.period]
    return dates[0][:parts] == dates[1][:parts]


def together(one: Limit, a: str, b: str) -> bool:
    if one.subject is Subject.PROGRAMME:
        return True
    return HOMES[a] == HOMES[b] if one.subject is Subject.INSTITUTION else a == b


def count(one: Limit, history: list[Done], balances: dict[str, int], name: str, at: datetime) -> int:
    """What ``name`` has used of a limit at ``at``."""
    if one.period is Period.BALANCE:
        return balances[name] if one.measure is Measure.POINTS else worth(balances[name])
    total = 0
    for done in history:
        for act, who in done.sides:
            if act is one.act and binds(one, who) and together(one, who, name) and same_period(one, done.at, at):
                amount = done.units if one.measure is Measure.POINTS else worth(done.units)
                total += amount - floor(Fraction(amount * done.undone, done.units))
    return total


def room(limits: list[Limit], history: list[Done], balances: dict[str, int], sides: list[tuple[Act, str]], units: int,
         at: datetime) -> int | None:  # fmt: skip
    """How many of ``units`` are let through; None: the act is refused."""

    def concerned(mode: Mode) -> list[tuple[Limit, str]]:
        return [
            (one, name)
            for act, name in sides
            for one in limits
            if one.act is act
            and one.mode is mode
            and (one.institution is None or one.institution in ABOVE[HOMES[name]])
        ]

    for one, name in concerned(Mode.CLIP):
        assert one.amount is not None
        units = min(units, max(0, one.amount - count(one, history, balances, name, at)))
    if units == 0:
        return None
    for one, name in concerned(Mode.REFUSE):
        assert one.amount is not None
        used = count(one, history, balances, name, at)
        if one.period is Period.BALANCE and one.measure is Measure.MONEY:
            after = worth(balances[name] + units)
        else:
            after = used + (units if one.measure is Measure.POINTS else worth(units))
        if after > one.amount:
            return None
    return units


def drawn(act: Any, subject: Any, period: Any, measure: Any, mode: Mode) -> st.SearchStrategy[Limit]:
    return st.builds(
        lambda amount, **terms: replace(
            LIMIT,
            starts=NOW - timedelta(days=1),
            mode=mode,
            amount=amount if terms["measure"] is Measure.POINTS else amount * 333,  # a unit is 333.333 millionths
            **terms,
        ),
        act=st.sampled_from(act),
        subject=st.sampled_from(subject),
        period=st.sampled_from(period),
        measure=st.sampled_from(measure),
        zone=st.sampled_from(["UTC", "Asia/Shanghai", "America/New_York", "Pacific/Apia"]),
        institution=st.sampled_from([None, None, BANK, BRANCH, AIR]),
        amount=st.integers(0, 4_000),
    )


PERIODS = [Period.DAY, Period.MONTH, Period.YEAR]
HOLDERS = [Subject.CUSTOMER, Subject.ACCOUNT]
EVERY = [Act.ISSUE, Act.TRANSFER, Act.RECEIVE, Act.REDEEM]
LIMITS = st.lists(
    drawn([Act.ISSUE], Subject, PERIODS, [Measure.POINTS], Mode.CLIP)
    | drawn([Act.ISSUE], HOLDERS, [Period.BALANCE], [Measure.POINTS], Mode.CLIP)
    | drawn([Act.ISSUE, Act.RECEIVE], HOLDERS, [Period.BALANCE], Measure, Mode.REFUSE)
    | drawn(EVERY, Subject, PERIODS, Measure, Mode.REFUSE),
    min_size=1,
    max_size=4,
)
NAMES = st.sampled_from(list(HOMES))
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["issue", "issue", "issue", "transfer", "redeem", "reverse", "reverse"]),
        NAMES,
        NAMES,
        st.integers(1, 900) | st.sampled_from([7, 33, 100]),
        st.sampled_from([0, 0, 0, 1, 7, 13, 24 * 9]),
    ),
    min_size=15,
    max_size=40,
)


@settings(max_examples=250)
@given(LIMITS, STEPS)
def test_what_passes_is_what_a_count_of_all_that_was_done_lets_through(
    terms: list[Limit], steps: list[tuple[str, str, str, int, int]]
) -> None:
    limits = [replace(one, id=100 + n, family=100 + n, code=f"l{n}") for n, one in enumerate(terms)]
    made = book(*limits)
    history: list[Done] = []
    balances = dict.fromkeys(HOMES, 0)
    for kind, name, other, units, hours in steps:
        made.at += timedelta(hours=hours)
        if kind == "reverse":
            undo(made, history, balances, units)
            continue
        if kind == "transfer" and name == other:
            continue
        sides = {
            "issue": [(Act.ISSUE, name)],
            "transfer": [(Act.TRANSFER, name), (Act.RECEIVE, other)],
            "redeem": [(Act.REDEEM, name)],
        }[kind]
        expected = room(limits, history, balances, sides, units, made.at)
        if kind != "issue" and balances[name] < units:
            with pytest.raises(InsufficientPoints):
                act(made, kind, name, other, units)
            continue
        if expected is None:
            with pytest.raises(LimitExceeded):
                act(made, kind, name, other, units)
            continue
        done = act(made, kind, name, other, units)
        assert done.amount == expected
        history.append(Done(done.id, sides, made.at, done.amount))
        if kind != "issue":
            balances[name] -= done.amount
        if kind != "redeem":
            balances[other if kind == "transfer" else name] += done.amount
    assert all(used >= 0 for used in made.limit_used.values())
    check_uses(made, limits, history)


def act(made: Book, kind: str, name: str, other: str, units: int) -> Movement:
    if kind == "issue":
        return issue(made, name, units)
    return transfer(made, name, other, units) if kind == "transfer" else redeem(made, name, units)


def undo(made: Book, history: list[Done], balances: dict[str, int], units: int) -> None:
    """Reverse a part of some act that is not reversed yet."""
    for done in history[units % 3 :]:
        part = min(units, done.units - done.undone)
        holder = next((who for side, who in done.sides if side in (Act.ISSUE, Act.RECEIVE)), None)
        if part == 0 or (holder is not None and balances[holder] < part):
            continue
        reverse(made, done.id, part)
        done.undone += part
        if holder is not None:
            balances[holder] -= part
        for side, who in done.sides:
            if side in (Act.TRANSFER, Act.REDEEM):
                balances[who] += part
        return


def check_uses(made: Book, limits: list[Limit], history: list[Done]) -> None:
    """The counters are the brute counts at the times of the acts, and there are no others."""
    lengths = {Period.DAY: 10, Period.MONTH: 7, Period.YEAR: 4}
    expected = {}
    for one in limits:
        for done in history if one.period is not Period.BALANCE else ():
            for side, who in done.sides:
                if side is not one.act or not binds(one, who):
                    continue
                customer = PEOPLE[who]
                subject = {
                    Subject.CUSTOMER: customer.id,
                    Subject.ACCOUNT: made.accounts[AccountKind.CUSTOMER, customer.id, "BP"].id,
                    Subject.INSTITUTION: customer.institution,
                    Subject.PROGRAMME: BP.id,
                }[one.subject]
                period = f"{done.at.astimezone(ZoneInfo(one.zone)):%Y-%m-%d}"[: lengths[one.period]]
                expected[one.family, subject, period] = count(one, history, {}, who, done.at)
    assert {key: used for key, used in made.limit_used.items() if used} == {
        key: used for key, used in expected.items() if used
    }
