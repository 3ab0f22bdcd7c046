"""Standing: the tables that change in place, compared with what the journal's rows make of them."""

from collections import Counter
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from hub.audit.accounts import Account
from hub.audit.entries import Progress
from hub.audit.findings import Findings
from hub.audit.replay import Replay
from hub.db import driver_of
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.records import AccountKind, WindowStatus

_ACCOUNTS = f"""
SELECT id, currency, debits_posted, credits_posted, debits_pending, credits_pending, aged FROM account
WHERE journal_id = {JOURNAL_ID} ORDER BY id
"""
_LOTS = f"""
SELECT account_id, expires_at, origin, earned_at, amount, held FROM lot WHERE journal_id = {JOURNAL_ID}
"""
_POSITIONS = f"""
SELECT window_id, institution_id, currency, debits, credits, subtree, apart, gross FROM position
WHERE journal_id = {JOURNAL_ID}
"""
_PAIRS = f"""
SELECT window_id, first_id, second_id, currency, debits, credits FROM pair_position
WHERE journal_id = {JOURNAL_ID} ORDER BY window_id, first_id, second_id, currency
"""
_BONUS_USES = f"SELECT rate_id, bonus, customer_id, used FROM bonus_use WHERE journal_id = {JOURNAL_ID}"
_LIMIT_USES = f"SELECT limit_id, subject_id, period, used FROM limit_use WHERE journal_id = {JOURNAL_ID}"
_WINDOWS = f"""
SELECT id, number, ordinal, status, opened_at, closed_at, settled_at, closed_in, changed_in, due_at
FROM settlement_window
WHERE journal_id = {JOURNAL_ID} ORDER BY ordinal
"""
_RELOCATIONS = f"""
SELECT id, status, approved_by, round, customers, ours, theirs, differing, more, less, digest, accepted_by, accepted,
    moved, ended_at
FROM relocation WHERE journal_id = {JOURNAL_ID}
"""
_PAGE_ROWS = 5_000
_POTS = frozenset(
    {
        AccountKind.COLLATERAL,
        AccountKind.FUND,
        AccountKind.RECOVERED,
        AccountKind.LIQUIDITY,
        AccountKind.RECEIVABLE,
        AccountKind.CLAIM,
    }
)


async def compare(connection: AsyncConnection, replay: Replay, findings: Findings, progress: Progress | None) -> None:
    """Find every standing row that is not what the replayed journal gives."""
    driver = driver_of(connection)
    with findings.unreadable("A row of account"):
        await _accounts(driver, replay, findings, progress)
    with findings.unreadable("A row of lot"):
        await _lots(driver, replay, findings)
    with findings.unreadable("A row of customer_mark"):
        await replay.restrictions.compare(driver, replay.debts)
    with findings.unreadable("A row of relocation"):
        replay.relocations.compare(await driver.fetch(_RELOCATIONS))
    with findings.unreadable("A row of reconciliation_break"):
        await replay.breaks.compare(driver)
    with findings.unreadable("A row of dispute"):
        await replay.disputes.compare(driver)
    with findings.unreadable("A row of quote"):
        await replay.quotes.compare(driver)
    with findings.unreadable("A row of prepaid_block"):
        await replay.prepaid.compare(driver)
    with findings.unreadable("A row of position"):
        await _positions(driver, replay, findings)
    with findings.unreadable("A row of pair_position"):
        replay.positions.obligations.compare(await driver.fetch(_PAIRS))
    with findings.unreadable("A row of bonus_use"):
        await _bonus_uses(driver, replay, findings)
    with findings.unreadable("A row of limit_use"):
        await _limit_uses(driver, replay, findings)
    with findings.unreadable("A row of settlement_window"):
        await _windows(driver, replay, findings)
    with findings.unreadable("The money of windows"):
        _money(replay, findings)


async def _accounts(driver: Any, replay: Replay, findings: Findings, progress: Progress | None) -> None:
    sums: Counter[str] = Counter()
    pending: Counter[str] = Counter()
    held = replay.holds.pending() + replay.exchanges.pending
    made, done, total = replay.accounts.by_id, 0, len(replay.accounts.by_id)
    async for id, currency, *stated in driver.cursor(_ACCOUNTS, prefetch=_PAGE_ROWS):
        debits, credits, debits_pending, credits_pending, _ = stated
        sums[currency] += credits - debits
        pending[currency] += credits_pending - debits_pending
        account = made.get(id)
        if account is None or tuple(stated) != account.counters:
            findings.add("ACCOUNT_COUNTERS", f"Account {id} does not stand at the sums of its legs and lots.")
        if held[id] != debits_pending:
            findings.add("HOLD_PENDING", f"What is pending on account {id} is not what its open holds pin.")
        done += 1
        if progress is not None and done % _PAGE_ROWS == 0:
            progress("accounts", done, total)
    for currency, total_of in sorted(sums.items()):
        if total_of:
            findings.add("CURRENCY_SUM", f"The balances in {currency} sum to {total_of} and not to zero.")
    for currency, total_of in sorted(pending.items()):
        if total_of:
            findings.add("CURRENCY_PENDING", f"What is pending in {currency} sums to {total_of} and not to zero.")


async def _lots(driver: Any, replay: Replay, findings: Findings) -> None:
    left = {(account, *key): lot for account, key, lot in replay.lots.left()}
    async for account, expires_at, origin, *stated in driver.cursor(_LOTS, prefetch=_PAGE_ROWS):
        lot = left.pop((account, expires_at, origin), None)
        if lot is None or stated != [lot.earned_at, lot.amount, lot.held]:
            findings.add("LOT", f"The lot of account {account} that ends at {expires_at} is not what its entries give.")
    for account, expires_at, _ in left:
        findings.add("LOT", f"The lot of account {account} that ends at {expires_at} is missing.")


async def _positions(driver: Any, replay: Replay, findings: Findings) -> None:
    left = {key: tuple(sums) for key, sums in replay.positions.sums.items() if any(sums)}
    for window, institution, currency, *stated in await driver.fetch(_POSITIONS):
        if left.pop((window, institution, currency), (0, 0, 0, 0, 0)) != tuple(stated):
            findings.add(
                "POSITION", f"The position {_position(replay, window, institution, currency)} is not its legs'."
            )
    for key in left:
        findings.add("POSITION", f"The position {_position(replay, *key)} is missing.")


def _position(replay: Replay, window: int, institution: int, currency: str) -> str:
    node, of = replay.configuration.institutions.get(institution), replay.positions.windows.get(window)
    return f"of {node.code if node else institution} in {currency}, window {of.number if of else window}"


async def _bonus_uses(driver: Any, replay: Replay, findings: Findings) -> None:
    left = {key: used for key, used in replay.acts.bonus_used.items() if used}
    for rate, bonus, customer, used in await driver.fetch(_BONUS_USES):
        if left.pop((rate, bonus, customer), 0) != used:
            findings.add("BONUS_USE", f"What customer {customer} has of bonus {bonus} of rate {rate} is not its acts'.")
    for rate, bonus, customer in left:
        findings.add("BONUS_USE", f"What customer {customer} has of bonus {bonus} of rate {rate} is missing.")


async def _limit_uses(driver: Any, replay: Replay, findings: Findings) -> None:
    left = {key: used for key, used in replay.limits.used.items() if used}
    for limit, subject, period, used in await driver.fetch(_LIMIT_USES):
        if left.pop((limit, subject, period), 0) != used:
            findings.add("LIMIT_USE", f"What {subject} has used of limit {limit} in {period} is not its acts'.")
    for limit, subject, period in left:
        findings.add("LIMIT_USE", f"What {subject} has used of limit {limit} in {period} is missing.")


async def _windows(driver: Any, replay: Replay, findings: Findings) -> None:
    open_windows = 0
    for id, number, *stated in await driver.fetch(_WINDOWS):
        made = replay.positions.windows.get(id)
        open_windows += stated[1] == WindowStatus.OPEN
        if made is None:
            continue  # a row without an entry, or it would have been replayed
        times = (made.opened_at, made.closed_at, made.settled_at, made.closed_in, made.changed_in)
        *standing_now, due_at = stated
        if due_at not in (None, made.due_at) or tuple(standing_now) != (made.ordinal, made.status, *times):
            findings.add("WINDOW", f"Window {number} does not stand as the journal's rows say.")
    models = {window.model for window in replay.positions.windows.values()}
    if open_windows != len(models):
        findings.add("WINDOW", f"There are {open_windows} open windows of {len(models)} models and not one of each.")


def _money(replay: Replay, findings: Findings) -> None:
    """What the accounts of money hold against what windows, payments and rounding say."""
    positions = replay.positions
    due: Counter[tuple[int, int, str]] = Counter()
    for window in replay.payments.due.values():
        for (node, currency), net in window.items():
            due[AccountKind.SETTLEMENT, node, currency] += net
    for obligations in positions.obligations.due.values():
        for (debtor, creditor, currency), amount in obligations.items():
            due[AccountKind.SETTLEMENT, debtor, currency] -= amount
            due[AccountKind.SETTLEMENT, creditor, currency] += amount
    for (window_id, node, currency), (debits, credits, *_) in positions.sums.items():
        if window_id in positions.windows and positions.windows[window_id].status == WindowStatus.OPEN:
            due[AccountKind.POSITION, node, currency] += credits - debits
    for (window_id, node, currency), paid in positions.gross.items():
        if window_id in positions.windows and positions.windows[window_id].status == WindowStatus.OPEN:
            due[AccountKind.POSITION, node, currency] -= paid
    by_currency = {(int(AccountKind.BANK), currency): amount for currency, amount in replay.payments.paid.items()}
    by_currency |= {
        (int(AccountKind.ROUNDING), currency): amount for currency, amount in replay.closings.rounded.items()
    }
    pots = Counter(positions.pots)
    for account in replay.accounts.by_id.values():
        kind, owner, currency = account.key
        if kind in (AccountKind.SETTLEMENT, AccountKind.POSITION):
            expected = due.pop((kind, owner, currency), 0)
        elif kind in (AccountKind.BANK, AccountKind.ROUNDING):
            expected = by_currency.pop((kind, currency), 0)
        elif kind in _POTS:
            expected = pots.pop((kind, owner, currency), 0)
        elif kind in (AccountKind.INTERNAL, AccountKind.FX):
            expected = 0  # what a node brings, its parent takes over at once; and nets of a currency sum to zero
        else:
            continue
        if _balance(account) != expected:
            name = AccountKind(kind).name.lower()
            findings.add("MONEY_ACCOUNT", f"The {name} account of {owner} in {currency} is not what its windows say.")
    if any(due.values()) or any(by_currency.values()) or any(pots.values()):
        findings.add("MONEY_ACCOUNT", "Windows speak of money that no account holds.")


def _balance(account: Account) -> int:
    return account.credits - account.debits
