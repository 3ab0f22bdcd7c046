"""Links: two institutions vouch that their customers are one person, who may then convert to herself what nobody may
give away."""

from typing import Any

import pytest

from hub.access import Role
from hub.errors import Duplicate, Forbidden, InvalidInput, NotFound, Suspended, TransferForbidden
from hub.institutions import Status
from hub.ledger import commands, people
from hub.ledger.commands import Party
from hub.ledger.decide import Outcome
from hub.ledger.records import LinkStatus
from tests.conftest import Hub
from tests.properties import invariants

ALICE, AL, BOB = Party("BANK", "alice"), Party("AIR", "al"), Party("BANK", "bob")
_keys = iter(range(1_000_000))


class Two:
    """BANK whose NT is not transferable, and AIR; a trader of each."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub

    async def found(self) -> "Two":
        hub = self.hub
        await hub.institution("BANK")
        await hub.institution("AIR")
        await hub.currency("NT", "BANK", transferable=False)
        await hub.currency("MILE", "AIR")
        await hub.rate("NT", "MILE")
        await hub.issue("NT", "BANK", "alice", "1000")
        for who in (BOB, AL):
            await hub.do(commands.EnrollCustomer(actor=hub.admin, customer=who))
        self.bank, _ = await hub.key("BANK", Role.INSTITUTION_TRADER, person="bank")
        self.air, _ = await hub.key("AIR", Role.INSTITUTION_TRADER, person="air")
        return self

    def propose(self, a: Party = ALICE, b: Party = AL, **changes: Any) -> commands.ProposeLink:
        fields: dict[str, Any] = {"actor": self.bank, "key": key(), "a": a, "b": b, "evidence": "form 17"}
        return commands.ProposeLink(**(fields | changes))

    def accept(self, id: int | None, **changes: Any) -> commands.AcceptLink:
        fields: dict[str, Any] = {"actor": self.air, "key": key(), "id": id}
        return commands.AcceptLink(**(fields | changes))

    def end(self, id: int | None, **changes: Any) -> commands.EndLink:
        fields: dict[str, Any] = {"actor": self.bank, "key": key(), "id": id, "reason": "no more"}
        return commands.EndLink(**(fields | changes))

    async def linked(self, a: Party = ALICE, b: Party = AL) -> int:
        made = await self.hub.do(self.propose(a, b))
        await self.hub.do(self.accept(made.id))
        return int(made.id)

    def convert(self, target: Party = AL, source: Party = ALICE, amount: str = "10") -> commands.Convert:
        return commands.Convert(actor=self.bank, key=key(), **deal(source, target, amount), minimum_target=None)

    def ask(self, target: Party = AL) -> commands.RequestQuote:
        return commands.RequestQuote(actor=self.bank, **deal(ALICE, target, "10"), ttl_seconds=60)


def key() -> str:
    return f"k{next(_keys)}"


def deal(source: Party, target: Party, amount: str) -> dict[str, Any]:
    return {
        "source": source,
        "target": target,
        "source_currency": "NT",
        "target_currency": "MILE",
        "amount": amount,
    }


@pytest.fixture
async def two(hub: Hub) -> Two:
    return await Two(hub).found()


def of(outcome: Outcome) -> Any:
    """What an outcome answers."""
    return outcome.result


def codes(answers: list[Any]) -> list[str | None]:
    return [None if one.refusal is None else one.refusal.code for one in answers]


async def test_points_that_are_not_transferable_are_converted_to_the_same_person_only(two: Two) -> None:
    hub = two.hub
    for command in (two.convert(), two.ask()):
        with pytest.raises(TransferForbidden) as refused:
            await hub.do(command)
        assert refused.value.details == {"currency": "NT", "requires": "CUSTOMER_LINK"}
    id = await two.linked()
    assert (await hub.do(two.convert())).figures.target == 10
    assert (await hub.do(two.ask())).figures.target == 10
    with pytest.raises(TransferForbidden):
        await hub.do(two.convert(Party("AIR", "another")))
    with pytest.raises(TransferForbidden) as refused:
        await hub.do(two.convert(BOB))  # of the same institution: no link would do
    assert refused.value.details == {"currency": "NT"}
    await hub.do(two.end(id))
    with pytest.raises(TransferForbidden):
        await hub.do(two.convert())
    assert await hub.balance("MILE", "AIR", "al") == 10
    await invariants.check(hub)


async def test_a_proposal_alone_permits_nothing(two: Two) -> None:
    made = await two.hub.do(two.propose())
    assert made.status is LinkStatus.PROPOSED
    with pytest.raises(TransferForbidden):
        await two.hub.do(two.convert())


async def test_a_link_of_one_batch_counts_from_its_place_in_it(two: Two) -> None:
    made = await two.hub.do(two.propose())
    batch = [two.convert(), two.accept(made.id), two.convert(), two.end(made.id), two.convert()]
    forbidden = "TRANSFER_FORBIDDEN"
    assert codes(await two.hub.batch(batch)) == [forbidden, None, None, None, forbidden]


async def test_who_is_bound_in_the_batch_is_asked_for_its_own_link(two: Two) -> None:
    hub, card = two.hub, Party("BANK", "6217000000001111")
    await two.linked()
    bind = commands.BindIdentifier(actor=two.bank, key=key(), identifier=card, customer=ALICE)
    unbind = commands.UnbindIdentifier(actor=two.bank, key=key(), identifier=card, reason="lost")
    again = commands.BindIdentifier(actor=two.bank, key=key(), identifier=card, customer=BOB)
    answers = await hub.batch([bind, two.convert(source=card), unbind, again, two.convert(source=card)])
    assert codes(answers) == [None, None, None, None, "TRANSFER_FORBIDDEN"]
    assert await hub.sql("SELECT count(DISTINCT id >> 20) FROM binding") == [(1,)]  # and it was one batch


async def test_a_quote_is_asked_again_when_it_is_executed(two: Two) -> None:
    hub = two.hub
    id = await two.linked()
    first, second = await hub.do(two.ask()), await hub.do(two.ask())
    await hub.do(commands.ExecuteQuote(actor=two.bank, key=key(), quote=first.id))
    await hub.do(two.end(id, actor=two.air))
    with pytest.raises(TransferForbidden):
        await hub.do(commands.ExecuteQuote(actor=two.bank, key=key(), quote=second.id))
    assert await hub.sql("SELECT count(*) FROM quote WHERE used_by IS NULL") == [(1,)]
    await two.linked()  # another link, the same person
    await hub.do(commands.ExecuteQuote(actor=two.bank, key=key(), quote=second.id))
    assert await hub.balance("MILE", "AIR", "al") == 20


async def test_what_was_converted_under_a_link_is_reversed_after_it(two: Two) -> None:
    id = await two.linked()
    done = await two.hub.do(two.convert())
    await two.hub.do(two.end(id))
    await two.hub.do(commands.Reverse(actor=two.bank, key=key(), id=done.id, amount=None, reason="returned"))
    assert await two.hub.balance("NT", "BANK", "alice") == 1000


async def test_points_that_are_not_transferable_are_not_transferred_even_to_oneself(two: Two) -> None:
    await two.linked()
    with pytest.raises(TransferForbidden) as refused:
        await two.hub.do(
            commands.Transfer(actor=two.bank, key=key(), currency="NT", source=ALICE, target=AL, amount="1", memo=None)
        )
    assert refused.value.details == {"currency": "NT"}


async def test_links_are_between_two_and_not_passed_on(two: Two) -> None:
    hub, third = two.hub, Party("SHOP", "a")
    await hub.institution("SHOP")
    await hub.currency("SP", "SHOP")
    await hub.rate("NT", "SP")
    await hub.do(commands.EnrollCustomer(actor=hub.admin, customer=third))
    shop, _ = await hub.key("SHOP", Role.INSTITUTION_TRADER)
    await two.linked()
    made = await hub.do(two.propose(AL, third, actor=two.air))
    await hub.do(two.accept(made.id, actor=shop))
    onward = two.convert(third)
    with pytest.raises(TransferForbidden):  # alice is al, al is a, and nobody said that alice is a
        await hub.do(commands.Convert(**{**_fields(onward), "target_currency": "SP"}))


def _fields(command: commands.Convert) -> dict[str, Any]:
    return {name: getattr(command, name) for name in command.__struct_fields__}


async def test_a_customer_has_one_active_link_to_each_institution(two: Two) -> None:
    hub, al2 = two.hub, Party("AIR", "al2")
    await hub.do(commands.EnrollCustomer(actor=hub.admin, customer=al2))
    first, second = await hub.do(two.propose()), await hub.do(two.propose(ALICE, al2))  # two that may become one
    third = await hub.do(two.propose(BOB, AL))
    await hub.do(two.accept(first.id))
    for late in (second, third):
        with pytest.raises(Duplicate):
            await hub.do(two.accept(late.id))
    for again in (two.propose(), two.propose(ALICE, al2), two.propose(BOB, AL), two.propose(AL, ALICE, actor=two.air)):
        with pytest.raises(Duplicate):
            await hub.do(again)
    await hub.do(two.end(first.id))
    await hub.do(two.accept(second.id))


async def test_the_same_two_are_proposed_once_at_a_time(two: Two) -> None:
    made = await two.hub.do(two.propose())
    with pytest.raises(Duplicate):
        await two.hub.do(two.propose())
    rejected = await two.hub.do(two.end(made.id, actor=two.air))
    assert rejected.status is LinkStatus.REJECTED
    await two.hub.do(two.propose())
    answers = await two.hub.batch([two.propose(BOB, AL), two.propose(BOB, AL)])
    assert codes(answers) == [None, "DUPLICATE"]


async def test_what_is_over_stays_over(two: Two) -> None:
    ended = await two.linked()
    await two.hub.do(two.end(ended))
    other = await two.hub.do(two.propose(BOB, AL))
    await two.hub.do(two.end(other.id))
    for id, status in ((ended, "ENDED"), (other.id, "REJECTED")):
        for command in (two.accept(id), two.end(id)):
            with pytest.raises(InvalidInput) as refused:
                await two.hub.do(command)
            assert refused.value.details == {"status": status}


async def test_consent_is_each_institution_s_own_word(two: Two) -> None:
    hub = two.hub
    clerk, _ = await hub.key("AIR", Role.INSTITUTION_ADMIN)
    auditor, _ = await hub.key("AIR", Role.INSTITUTION_AUDITOR)
    await hub.institution("OTHER")
    stranger, _ = await hub.key("OTHER", Role.INSTITUTION_TRADER)
    with pytest.raises(Forbidden):
        await hub.do(two.propose(actor=two.air))  # not for another's customer
    made = await hub.do(two.propose())
    for actor in (two.bank, auditor, hub.admin):  # the operator does not know the member's customer
        with pytest.raises(Forbidden):
            await hub.do(two.accept(made.id, actor=actor))
    for command in (two.accept(made.id, actor=stranger), two.end(made.id, actor=stranger), two.accept(None)):
        with pytest.raises(NotFound):
            await hub.do(command)
    with pytest.raises(Forbidden):
        await hub.do(two.end(made.id, actor=auditor))
    linked = await hub.do(two.accept(made.id, actor=clerk))
    assert [status.value for status, _ in linked.changes] == ["PROPOSED", "ACTIVE"]
    await hub.do(two.end(made.id, actor=hub.admin))  # but it may end one on anybody's behalf


async def test_what_is_wrong_with_a_proposal(two: Two) -> None:
    for wrong, error in (
        (two.propose(ALICE, BOB), InvalidInput),
        (two.propose(ALICE, ALICE), InvalidInput),
        (two.propose(ALICE, Party("AIR", "nobody")), NotFound),
        (two.propose(Party("BANK", "nobody"), AL), NotFound),
        (two.propose(ALICE, Party("NONE", "x")), NotFound),
        (two.end((await two.hub.do(two.propose())).id, reason=" "), InvalidInput),
    ):
        with pytest.raises(error):
            await two.hub.do(wrong)


async def test_consent_is_taken_back_even_of_a_suspended_institution(two: Two) -> None:
    id = await two.linked()
    await two.hub.do(
        commands.SetInstitutionStatus(actor=two.hub.admin, code="AIR", status=Status.SUSPENDED, reason="x")
    )
    with pytest.raises(Suspended):
        await two.hub.do(two.propose(BOB, AL))
    assert (await two.hub.do(two.end(id))).status is LinkStatus.ENDED


async def test_a_replay_answers_the_same_link(two: Two) -> None:
    hub = two.hub
    proposal = two.propose()
    fresh = await hub.try_(proposal)
    replayed = await hub.try_(proposal)
    assert (replayed.replayed, replayed.result) == (True, fresh.result)
    acceptance = two.accept(of(fresh).id)
    accepted = await hub.try_(acceptance)
    replayed = await hub.try_(acceptance)
    assert (replayed.replayed, replayed.result) == (True, accepted.result)
    ending = two.end(of(fresh).id)
    ended, again = await hub.batch([ending, ending])
    assert isinstance(ended, Outcome)
    assert isinstance(again, Outcome)
    assert (again.replayed, again.result) == (True, ended.result)
    assert len(await hub.sql("SELECT 1 FROM customer_link")) == 3


async def test_transferable_points_need_no_link_and_load_none(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = two.hub
    await hub.currency("BP", "BANK")
    await hub.rate("BP", "MILE")
    await hub.issue("BP", "BANK", "alice", "10")

    async def fail(*_: Any) -> None:
        raise AssertionError("links were loaded")

    monkeypatch.setattr(people, "load_links", fail)
    plain = {**_fields(two.convert(Party("AIR", "zoe"))), "source_currency": "BP"}
    await hub.do(commands.Convert(**plain))
