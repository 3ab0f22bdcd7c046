"""Bindings: an identifier names its present owner, what was done before stays, and nothing that is kept for ever tells
what it was."""

import random
from typing import Any

import pytest

from hub.access import Role
from hub.audit import audit
from hub.currencies import ExpiryKind
from hub.errors import AlreadyBound, Duplicate, Forbidden, Frozen, InvalidInput, NotFound, Suspended
from hub.institutions import Status
from hub.ledger import commands, people
from hub.ledger.commands import BonusTerms, Party
from hub.ledger.decide import Outcome
from hub.ledger.records import Mark
from hub.rates import Funding
from tests.conftest import Hub
from tests.properties import invariants

CARD = Party("BANK", "6217000000001111")
MASKED = "****1111"
M, N = Party("BANK", "m"), Party("BANK", "n")
_keys = iter(range(1_000_000))


async def found(hub: Hub, *, auto_enroll: bool = True) -> None:
    await hub.institution("BANK", auto_enroll=auto_enroll)
    await hub.institution("AIR")
    await hub.currency("BP", "BANK")
    for who in (M, N):
        await hub.do(commands.EnrollCustomer(actor=hub.admin, customer=who))


def bind(hub: Hub, customer: Party = M, identifier: Party = CARD, key: str | None = None) -> commands.BindIdentifier:
    return commands.BindIdentifier(
        actor=hub.admin, key=key or f"b{next(_keys)}", identifier=identifier, customer=customer
    )


def unbind(hub: Hub, identifier: Party = CARD, key: str | None = None) -> commands.UnbindIdentifier:
    return commands.UnbindIdentifier(
        actor=hub.admin, key=key or f"u{next(_keys)}", identifier=identifier, reason="a new card"
    )


def spend(hub: Hub, amount: str, to: Party = CARD, key: str | None = None) -> commands.Issue:
    return commands.Issue(
        actor=hub.admin,
        key=key or f"s{next(_keys)}",
        currency="BP",
        to=to,
        amount=amount,
        earned_at=None,
        expires_at=None,
        memo=None,
    )


def of(outcome: Outcome) -> Any:
    """What an outcome answers."""
    return outcome.result


def refusal(answer: Any) -> tuple[str, dict[str, str]]:
    assert isinstance(answer, Outcome)
    assert answer.refusal is not None
    return answer.refusal.code, answer.refusal.details


async def balances(hub: Hub) -> tuple[int, int]:
    return await hub.balance("BP", "BANK", "m"), await hub.balance("BP", "BANK", "n")


async def test_example_30_what_is_spent_on_a_card_goes_to_who_has_it_then(hub: Hub) -> None:
    await found(hub)
    await hub.do(bind(hub, M))
    done = await hub.do(spend(hub, "100"))
    assert (done.target.reference, await balances(hub)) == ("m", (100, 0))
    with pytest.raises(AlreadyBound) as refused:
        await hub.do(bind(hub, N))
    assert refused.value.details == {"institution": "BANK", "identifier": MASKED}
    await hub.do(unbind(hub))
    await hub.do(bind(hub, N))
    done = await hub.do(spend(hub, "30"))
    assert (done.target.reference, await balances(hub)) == ("n", (100, 30))
    with pytest.raises(AlreadyBound):
        await hub.do(bind(hub, M))
    await invariants.check(hub)


async def test_the_whole_example_in_one_batch(hub: Hub) -> None:
    """Both owners have an account before, so the batch has to find what it did not name."""
    await found(hub)
    for who in (M, N):
        await hub.do(spend(hub, "1", who))
    batch = [bind(hub, M), spend(hub, "100"), bind(hub, N), unbind(hub), bind(hub, N), spend(hub, "30"), unbind(hub)]
    [[before]] = await hub.sql("SELECT batch FROM journal_head")
    answers = await hub.batch([*batch, spend(hub, "7")])
    assert await hub.sql("SELECT batch FROM journal_head") == [(before + 1,)]  # nothing was tried again in halves
    codes = [one.refusal and one.refusal.code for one in answers if isinstance(one, Outcome)]
    assert codes == [None, None, "ALREADY_BOUND", None, None, None, None, "NOT_FOUND"]
    assert await balances(hub) == (101, 31)
    await hub.do(bind(hub, M))
    # Bound to M when the batch is read, to N when it is spent on.
    await hub.batch([unbind(hub), bind(hub, N), spend(hub, "1000")])
    assert await balances(hub) == (101, 1031)
    assert await hub.sql("SELECT batch FROM journal_head") == [(before + 3,)]
    await invariants.check(hub)


async def test_every_act_takes_an_identifier_for_its_owner(hub: Hub) -> None:
    await found(hub)
    await hub.currency("MILE", "AIR")
    await hub.rate("BP", "MILE")
    await hub.do(bind(hub, M))
    phone = Party("AIR", "+8613800001234")
    await hub.do(commands.EnrollCustomer(actor=hub.admin, customer=Party("AIR", "x")))
    await hub.do(bind(hub, Party("AIR", "x"), phone))
    await hub.do(spend(hub, "100"))
    moved = await hub.do(
        commands.Transfer(actor=hub.admin, key="t", currency="BP", source=CARD, target=N, amount="10", memo=None)
    )
    assert (moved.source.reference, moved.target.reference) == ("m", "n")
    spent = await hub.do(
        commands.Redeem(actor=hub.admin, key="r", currency="BP", customer=CARD, merchant="AIR", amount="20", memo=None)
    )
    assert spent.source.reference == "m"
    deal: dict[str, Any] = {"source": CARD, "target": phone, "source_currency": "BP", "target_currency": "MILE"}
    offer = await hub.do(commands.RequestQuote(actor=hub.admin, **deal, amount="5", ttl_seconds=60))
    await hub.do(unbind(hub))
    await hub.do(bind(hub, N))
    done = await hub.do(commands.ExecuteQuote(actor=hub.admin, key="e", quote=offer.id))
    assert (done.source.reference, done.target.reference) == ("m", "x")  # whom the card named when the offer was made
    done = await hub.do(commands.Convert(actor=hub.admin, key="c", **deal, amount="4", minimum_target=None))
    assert (done.source.reference, done.target.reference) == ("n", "x")
    assert await balances(hub) == (65, 6)  # 100 - 10 - 20 - 5; 10 - 4
    with pytest.raises(InvalidInput):
        await hub.do(
            commands.Transfer(actor=hub.admin, key="t2", currency="BP", source=CARD, target=N, amount="1", memo=None)
        )
    await invariants.check(hub)


async def test_a_replay_answers_as_before_whoever_has_the_card_now(hub: Hub) -> None:
    await found(hub)
    bound = await hub.do(bind(hub, M, key="b"))
    first = await hub.do(spend(hub, "100", key="s"))
    await hub.do(unbind(hub, key="u"))
    await hub.do(bind(hub, N))
    again = await hub.try_(spend(hub, "100", key="s"))
    assert (again.replayed, again.result) == (True, first)
    replayed = await hub.try_(bind(hub, M, key="b"))
    assert (replayed.replayed, of(replayed).id, of(replayed).customer.reference) == (True, bound.id, "m")
    ended = await hub.try_(unbind(hub, key="u"))
    assert (ended.replayed, of(ended).id, of(ended).ended is not None) == (True, bound.id, True)
    assert refusal(await hub.try_(bind(hub, N, key="b")))[0] == "IDEMPOTENCY_CONFLICT"
    assert await balances(hub) == (100, 0)


async def test_a_record_out_of_the_batch_is_the_one_out_of_the_rows(hub: Hub) -> None:
    await found(hub)
    fresh = await hub.try_(bind(hub, M, key="b"))
    replayed = await hub.try_(bind(hub, M, key="b"))
    assert (replayed.replayed, replayed.result) == (True, fresh.result)
    fresh = await hub.try_(unbind(hub, key="u"))
    replayed = await hub.try_(unbind(hub, key="u"))
    assert (replayed.replayed, replayed.result) == (True, fresh.result)


async def test_a_name_is_a_reference_or_an_identifier_and_never_both(hub: Hub) -> None:
    await found(hub)
    await hub.do(spend(hub, "1", CARD))  # enrolls a customer under it
    with pytest.raises(Duplicate) as refused:
        await hub.do(bind(hub, M))
    assert refused.value.details == {"institution": "BANK", "identifier": MASKED}
    other = Party("BANK", "6217000000002222")
    await hub.do(bind(hub, M, other))
    with pytest.raises(Duplicate):
        await hub.do(commands.EnrollCustomer(actor=hub.admin, customer=other))
    # In one batch as well, whichever comes first.
    third, fourth = Party("BANK", "6217000000003333"), Party("BANK", "6217000000004444")
    enroll = commands.EnrollCustomer(actor=hub.admin, customer=third)
    answers = await hub.batch([bind(hub, M, third), enroll, spend(hub, "5", fourth), bind(hub, M, fourth)])
    assert [getattr(one, "refusal", None) and refusal(one)[0] for one in answers] == [
        None,
        "DUPLICATE",
        None,
        "DUPLICATE",
    ]


async def test_a_card_between_two_owners_enrolls_nobody(hub: Hub) -> None:
    """The institution enrolls by itself, but a card's number is no reference."""
    await found(hub)
    await hub.do(bind(hub, M))
    await hub.do(unbind(hub))
    with pytest.raises(NotFound) as refused:
        await hub.do(spend(hub, "5"))
    assert refused.value.details == {"institution": "BANK", "reference": MASKED}
    with pytest.raises(NotFound):
        await hub.do(unbind(hub))
    assert await hub.sql("SELECT count(*) FROM customer") == [(2,)]
    # Its institution may enroll somebody under it, expressly; then it is a reference.
    await hub.do(commands.EnrollCustomer(actor=hub.admin, customer=CARD))
    await hub.do(spend(hub, "5"))
    with pytest.raises(Duplicate):
        await hub.do(bind(hub, M))


async def test_the_same_text_at_two_institutions_is_two_identifiers(hub: Hub) -> None:
    await found(hub)
    theirs = Party("AIR", CARD.reference)
    await hub.do(commands.EnrollCustomer(actor=hub.admin, customer=Party("AIR", "x")))
    await hub.do(bind(hub, M))
    await hub.do(bind(hub, Party("AIR", "x"), theirs))
    assert (await hub.do(spend(hub, "1"))).target.reference == "m"
    assert (await hub.do(spend(hub, "1", theirs))).target.reference == "x"
    await hub.do(unbind(hub))
    assert (await hub.do(spend(hub, "1", theirs))).target.reference == "x"


async def test_what_is_wrong_with_a_binding(hub: Hub) -> None:
    await found(hub)
    for wrong, error in (
        (bind(hub, Party("AIR", "x")), InvalidInput),  # another institution's customer
        (bind(hub, M, Party("BANK", " ")), InvalidInput),
        (bind(hub, Party("BANK", "nobody")), NotFound),
        (bind(hub, M, Party("NONE", "1")), NotFound),
        (bind(hub, M, Party("BANK", "x" * 201)), InvalidInput),
        (unbind(hub), NotFound),
        (
            commands.UnbindIdentifier(actor=hub.admin, key="k", identifier=CARD, reason=" "),
            InvalidInput,
        ),
    ):
        with pytest.raises(error):
            await hub.do(wrong)
    await hub.do(bind(hub, M))
    status = commands.SetInstitutionStatus(actor=hub.admin, code="BANK", status=Status.CLOSED, reason="gone")
    await hub.do(status)
    with pytest.raises(Suspended):
        await hub.do(bind(hub, M, Party("BANK", "other")))
    await hub.do(unbind(hub))  # what was promised can be undone


async def test_traders_bind_for_their_institution_and_those_below(hub: Hub) -> None:
    await found(hub)
    await hub.institution("BRANCH", parent="BANK")
    await hub.do(commands.EnrollCustomer(actor=hub.admin, customer=Party("BRANCH", "b")))
    bank, _ = await hub.key("BANK", Role.INSTITUTION_TRADER)
    branch, _ = await hub.key("BRANCH", Role.INSTITUTION_TRADER)
    clerk, _ = await hub.key("BANK", Role.INSTITUTION_ADMIN, Role.INSTITUTION_AUDITOR)

    def ask(actor: int, where: str, who: str) -> commands.BindIdentifier:
        return commands.BindIdentifier(
            actor=actor,
            key=f"k{next(_keys)}",
            identifier=Party(where, f"card-{next(_keys)}"),
            customer=Party(where, who),
        )

    await hub.do(ask(bank, "BANK", "m"))
    await hub.do(ask(bank, "BRANCH", "b"))
    await hub.do(ask(branch, "BRANCH", "b"))
    for actor, where, who in ((branch, "BANK", "m"), (clerk, "BANK", "m")):
        with pytest.raises(Forbidden):
            await hub.do(ask(actor, where, who))


async def test_nothing_that_is_kept_for_ever_holds_an_identifier(hub: Hub) -> None:
    await found(hub, auto_enroll=False)
    await hub.do(bind(hub, M))
    await hub.do(spend(hub, "5"))
    await hub.try_(bind(hub, N))
    await hub.try_(commands.EnrollCustomer(actor=hub.admin, customer=CARD))
    await hub.do(unbind(hub))
    await hub.try_(unbind(hub))
    await hub.try_(spend(hub, "5"))
    await hub.try_(
        commands.Redeem(actor=hub.admin, key="r", currency="BP", customer=CARD, merchant="AIR", amount="1", memo=None)
    )
    names = await hub.sql(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition"
        " AND relnamespace = 'public'::regnamespace"
    )
    holding = set()
    for [name] in names:
        if await hub.sql(f"SELECT 1 FROM {name} t WHERE t::text LIKE $1 LIMIT 1", f"%{CARD.reference}%"):
            holding.add(name)
    assert holding == {"identifier"}


async def test_an_erased_identifier_is_forgotten_and_its_history_stays(hub: Hub) -> None:
    await found(hub)
    await hub.do(bind(hub, M, key="b"))
    await hub.do(unbind(hub))
    await hub.sql("DELETE FROM identifier")
    replayed = await hub.try_(bind(hub, M, key="b"))
    assert of(replayed).identifier.text is None
    await hub.do(bind(hub, N))
    await hub.do(spend(hub, "5"))
    assert await balances(hub) == (0, 5)


async def test_what_a_new_owner_converted_before_counts_in_the_batch_that_binds(hub: Hub) -> None:
    """A bonus counts at most 100 points of one customer: N has used 80 before the card is N's."""
    await found(hub)
    await hub.currency("MILE", "AIR")
    await hub.rate("BP", "MILE", bonuses=(BonusTerms("50", "100", None, None, Funding.SOURCE_ISSUER, None, None),))
    await hub.do(spend(hub, "1000", N))

    def convert(source: Party, amount: str) -> commands.Convert:
        return commands.Convert(
            actor=hub.admin,
            key=f"c{next(_keys)}",
            source=source,
            target=Party("AIR", "x"),
            source_currency="BP",
            target_currency="MILE",
            amount=amount,
            minimum_target=None,
        )

    assert (await hub.do(convert(N, "80"))).figures.bonus == 40
    _, done = await hub.batch([bind(hub, N), convert(CARD, "80")])
    assert isinstance(done, Outcome)
    result: Any = done.result
    assert result.figures.bonus == 10  # 50 % of the 20 that are left
    assert await hub.sql("SELECT used FROM bonus_use") == [(100,)]


async def test_what_is_enrolled_is_not_looked_up_among_identifiers(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    await found(hub)
    asked: list[Any] = []
    look_up = people.load_owners

    async def counted(driver: Any, book: Any, names: Any) -> Any:
        asked.append(sorted(names))
        return await look_up(driver, book, names)

    monkeypatch.setattr(people, "load_owners", counted)
    await hub.batch([spend(hub, "1", M), spend(hub, "1", N)])
    assert asked == []
    await hub.batch([spend(hub, "1", M), spend(hub, "1", Party("BANK", "new"))])
    bank = hub.engine.configuration.institution_codes["BANK"]
    assert asked == [[(bank, "new", "BP")]]


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_random_bindings_are_those_of_a_dictionary(hub: Hub, seed: int) -> None:
    dice = random.Random(seed)
    await found(hub)
    customers = [f"c{number}" for number in range(4)]
    await hub.batch([commands.EnrollCustomer(actor=hub.admin, customer=Party("BANK", one)) for one in customers])
    cards = [f"card-number-{number}" for number in range(5)]
    owner: dict[str, str] = {}
    points = dict.fromkeys(customers, 0)
    history: list[tuple[str, str, bool]] = []
    other = hub.beside()
    try:
        for _ in range(40):
            batch: list[commands.Command] = []
            expected: list[str | None] = []
            for _ in range(dice.randint(1, 6)):
                card, customer, amount = dice.choice(cards), dice.choice(customers), dice.randint(1, 9)
                known = {one for one, _, _ in history}
                named = Party("BANK", card)
                match dice.randrange(3):
                    case 0:
                        # A customer may be named by a card as well.
                        by = next((c for c, who in owner.items() if who == customer and dice.random() < 0.3), customer)
                        batch.append(bind(hub, Party("BANK", by), named))
                        expected.append("ALREADY_BOUND" if card in owner else None)
                        if card not in owner:
                            owner[card] = customer
                            history.append((card, customer, True))
                    case 1:
                        batch.append(unbind(hub, named))
                        expected.append(None if card in owner else "NOT_FOUND")
                        if card in owner:
                            history.append((card, owner.pop(card), False))
                    case _ if card in known:
                        batch.append(spend(hub, str(amount), named))
                        expected.append(None if card in owner else "NOT_FOUND")
                        if card in owner:
                            points[owner[card]] += amount
            answers = await (hub, other)[dice.randrange(2)].batch(batch) if batch else []
            assert [one.refusal and one.refusal.code for one in answers if isinstance(one, Outcome)] == expected
    finally:
        await other.close()
    assert {one: await hub.balance("BP", "BANK", one) for one in customers} == points
    rows = await hub.sql(
        "SELECT i.text, r.reference, b.ends_id IS NULL FROM binding b JOIN identifier i ON i.id = b.identifier_id"
        " JOIN customer_reference r ON r.customer_id = b.customer_id ORDER BY b.id"
    )
    assert [tuple(row) for row in rows] == history
    await invariants.check(hub)
    async with hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()


async def test_a_card_of_who_is_frozen_or_has_points_that_end_is_no_way_round(hub: Hub) -> None:
    await hub.institution("BANK")
    await hub.currency("BP", "BANK", expiry=ExpiryKind.END_OF_YEAR)
    await hub.issue("BP", "BANK", "m", "100")
    card = Party("BANK", "6217000011112222")
    await hub.do(commands.BindIdentifier(actor=hub.admin, key="bind", identifier=card, customer=Party("BANK", "m")))

    def spend(key: str, amount: str) -> commands.Transfer:
        taker = Party("BANK", "n")
        return commands.Transfer(
            actor=hub.admin, key=key, currency="BP", source=card, target=taker, amount=amount, memo=None
        )

    await hub.do(spend("a", "60"))
    rows = await hub.sql("SELECT l.amount FROM lot l ORDER BY l.amount")
    assert [row[0] for row in rows] == [40, 60]
    await hub.do(
        commands.FreezeAccount(actor=hub.admin, key="freeze", customer=Party("BANK", "m"), currency=None, reason="r")
    )
    with pytest.raises(Frozen):
        await hub.do(spend("b", "1"))
    await hub.currency("CP", "BANK")
    await hub.do(
        commands.Issue(
            actor=hub.admin, key="c", currency="CP", to=card, amount="5", earned_at=None, expires_at=None, memo=None
        )
    )
    [[marks]] = await hub.sql("SELECT marks FROM account WHERE kind = 1 AND currency = 'CP'")
    assert marks == Mark.CUSTOMER_FROZEN
