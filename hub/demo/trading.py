"""Chapter 4: the crowd acts. Every answer goes into the demo's book, which must agree with the hub's circulation."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from hub.demo import documents
from hub.demo.client import Answer, Connection, Refusal
from hub.demo.crowd import PEOPLE, Act, Crowd, Party, as_row, crowds
from hub.demo.failure import expect
from hub.demo.network import PROGRAMMES, issuer, programme
from hub.demo.stage import Stage, columns, figure

BATCH_ROWS = 500
AT_ONCE = 16  # single requests under way at the same time


@dataclass(slots=True)
class Tally:
    """What became of the acts: how many of each kind were done, and why the others were refused."""

    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def count(self, kind: str, answer: Answer) -> None:
        """One answered act."""
        if not isinstance(answer, Refusal):
            self.done[kind] += 1
            return
        self.refused[kind] += 1
        self.reasons[answer.reason] += 1
        self.examples.setdefault(answer.reason, answer.message)


async def trade(stage: Stage) -> None:
    """Chapter 4: grants to two thousand customers, then ten thousand conversions, transfers and redemptions."""
    everyone = crowds()
    stage.chapter(
        4,
        "Ten thousand acts",
        f"{PEOPLE:,} customers convert, give away and redeem. A few do very much, most do little, as in life; "
        "some ask for what the terms do not allow.",
        f"Conversions and transfers travel in batches of {BATCH_ROWS}; redemptions one by one, {AT_ONCE} at a time, "
        "as shops would send them.",
    )
    await _link(stage, everyone)
    tally = Tally()
    started = time.monotonic()
    with Progress(
        TextColumn("  {task.description:<12}"), BarColumn(40), MofNCompleteColumn(), TimeElapsedColumn(),
        console=stage.console,
    ) as progress:  # fmt: skip
        for kind in ("issues", "conversions", "transfers"):
            bar = progress.add_task(kind, total=sum(len(_acts(crowd, kind)) for crowd in everyone))
            # Side by side over the institutions, in order within each: every run gives the same figures.
            await asyncio.gather(*(_batches(stage, tally, crowd, kind, progress, bar) for crowd in everyone))
        bar = progress.add_task("redemptions", total=sum(len(crowd.redemptions) for crowd in everyone))
        gate = asyncio.Semaphore(AT_ONCE)
        singles = [act for crowd in everyone for act in crowd.redemptions]
        await asyncio.gather(*(_single(stage, tally, act, gate, progress, bar) for act in singles))
    _show(stage, tally, time.monotonic() - started)
    await _retry(stage, everyone[0])
    await _compare_circulation(stage)


async def _link(stage: Stage, everyone: Sequence[Crowd]) -> None:
    """Points that may not be given away are converted to oneself: both programmes say who is one person."""
    pairs = [pair for crowd in everyone if not programme(crowd.home.currency).transferable for pair in crowd.peers()]
    gate = asyncio.Semaphore(AT_ONCE)
    await asyncio.gather(*(_link_two(stage, mine, other, gate) for mine, other in pairs))
    stage.good(f"{figure(len(pairs))} customers whose points are theirs alone are linked with themselves elsewhere.")


async def _link_two(stage: Stage, mine: Party, other: Party, gate: asyncio.Semaphore) -> None:
    here, there = stage.people[mine.institution], stage.people[other.institution]
    a, b = (stage.customer(party.institution, party.reference) for party in (mine, other))
    key = f"link-{other.institution}-{other.reference}{stage.suffix}"
    async with gate:
        for person, customer in ((here, a), (there, b)):
            await person.act(documents.ENROLL_CUSTOMER, input=customer)  # or it is enrolled already
        link = await here.must(documents.PROPOSE_CUSTOMER_LINK, input={"idempotencyKey": key, "a": a, "b": b})
        link = await there.must(documents.ACCEPT_CUSTOMER_LINK, id=link["id"], key=key)
    expect(link["status"] == "ACTIVE", f"The link of {mine.reference} is {link['status']}, not ACTIVE.")


async def _batches(stage: Stage, tally: Tally, crowd: Crowd, kind: str, progress: Progress, bar: TaskID) -> None:
    acts = _acts(crowd, kind)
    for first in range(0, len(acts), BATCH_ROWS):
        batch = acts[first : first + BATCH_ROWS]
        answers = await _send(stage, crowd, kind, batch)
        for act, answer in zip(batch, answers, strict=True):
            _note(stage, tally, kind, act, answer)
        progress.advance(bar, len(batch))


async def _send(stage: Stage, crowd: Crowd, kind: str, batch: Sequence[Act]) -> list[Answer]:
    document = {
        "issues": documents.ISSUE_POINTS_BATCH,
        "conversions": documents.CONVERT_BATCH,
        "transfers": documents.TRANSFER_POINTS_BATCH,
    }[kind]
    return await _trader(stage, crowd.home.currency).acts(document, [as_row(act, "", stage.suffix) for act in batch])


async def _single(
    stage: Stage, tally: Tally, act: Act, gate: asyncio.Semaphore, progress: Progress, bar: TaskID
) -> None:
    async with gate:
        trader = _trader(stage, act.currency)
        answer = await trader.act(documents.REDEEM_POINTS, input=as_row(act, "", stage.suffix))
    _note(stage, tally, "redemptions", act, answer)
    progress.advance(bar)


def _note(stage: Stage, tally: Tally, kind: str, act: Act, answer: Answer) -> None:
    """Count the answer and enter it in the book; stop if the hub's verdict cannot be right."""
    tally.count(kind, answer)
    what = f"{act.key} of {act.customer.reference} with {act.amount} {act.currency}"
    if isinstance(answer, Refusal):
        # Whoever asks within the terms can only have too few points.
        expect(
            act.wrong or (kind != "issues" and answer.reason == "INSUFFICIENT_POINTS"),
            f"The act {what} was refused as {answer.reason}: {answer.message}",
        )
        return
    expect(not act.wrong, f"The act {what} is against the terms and was not refused.")
    amount = Decimal(act.amount)
    if kind == "issues":
        stage.book.issued(act.currency, amount)
    elif act.target is not None:
        expect(answer["status"] == "COMPLETED", f"The act {what} is {answer['status']}, not COMPLETED.")
        stage.book.converted(act.currency, act.target, amount, answer)
    elif act.shop is not None:
        stage.book.redeemed(act.currency, amount, act.shop, answer)


def _show(stage: Stage, tally: Tally, seconds: float) -> None:
    table = columns("acts", "done", "refused", right=2)
    kinds = ("conversions", "transfers", "redemptions")
    for kind in kinds:
        table.add_row(kind, figure(tally.done[kind]), figure(tally.refused[kind]))
    stage.show(table)
    reasons = columns("for example", "refused because", "times", right=1)
    for reason, times in tally.reasons.most_common():
        reasons.add_row(escape(tally.examples[reason]), f"[yellow]{reason}[/]", figure(times))
    stage.show(reasons)
    acts = sum(tally.done[kind] + tally.refused[kind] for kind in kinds)
    expect(len(tally.reasons) > 1, "Some acts were wrong in different ways, but the hub gave one reason or none.")
    granted = f"and {figure(tally.done['issues'])} grants before them"
    stage.good(f"{figure(acts)} acts, {granted}, answered in {seconds:.1f} s; no wrong one was let through.")


async def _retry(stage: Stage, crowd: Crowd) -> None:
    """The first batch of conversions again, with the same keys: every row must be a replay and nothing may move."""
    batch = crowd.conversions[:BATCH_ROWS]
    before = await _circulation(stage)
    answers = await _send(stage, crowd, "conversions", batch)
    replayed = sum(answer.replayed if isinstance(answer, Refusal) else answer["replayed"] for answer in answers)
    expect(replayed == len(batch), f"Of {len(batch)} repeated conversions only {replayed} were recognised.")
    expect(await _circulation(stage) == before, "Repeating a batch with the same keys moved points.")
    stage.good(
        f"A batch of {len(batch)} conversions was sent again with the same keys, as after a lost answer: "
        f"{replayed} replayed, nothing doubled."
    )


async def _compare_circulation(stage: Stage) -> None:
    said = await _circulation(stage)
    for currency, amount in said.items():
        told = stage.book.points[currency]
        expect(
            amount == told, f"By its answers the hub should have {told} {currency} in circulation, but says {amount}."
        )
    table = columns(*said, right=len(said), title="points in circulation")
    table.add_row(*(figure(amount) for amount in said.values()))
    stage.show(table)
    stage.good("The circulation of every currency is, to the point, what the answers add up to.")


async def _circulation(stage: Stage) -> dict[str, Decimal]:
    said = {}
    for each in PROGRAMMES:
        currency = await stage.operator.ask(documents.CIRCULATION, code=stage.code(each.code))
        said[each.code] = Decimal(currency["circulation"]["amount"])
    return said


def _acts(crowd: Crowd, kind: str) -> list[Act]:
    return {"issues": crowd.issues, "conversions": crowd.conversions, "transfers": crowd.transfers}[kind]


def _trader(stage: Stage, currency: str) -> Connection:
    """The trader of a currency's issuer, who acts for the customers of the institutions below it too."""
    return stage.people[issuer(currency)]
