"""A book of five institutions, for tests of what is decided on it. No database."""

from hub.configuration import Configuration, with_changes
from hub.institutions import DebitCap, Institution, Kind, Placement, Status
from hub.ledger.book import Book
from hub.ledger.draft import Draft
from hub.ledger.records import Purpose, Window, WindowStatus
from tests.hub.test_rates import NOW

HUB, GROUP, BANK, STORE, AIR = 1, 2, 3, 4, 5
CNY = 1_000_000
CLOSED, OPEN = 100, 200


def node(number: int, parent: int | None) -> Institution:
    placements = () if parent is None else (Placement(1, parent),)
    return Institution(number, f"I{number}", "n", Kind.OTHER, Status.ACTIVE, parent, placements, (), True)


def configuration(*caps: tuple[int, int]) -> Configuration:
    nodes = [node(HUB, None), node(GROUP, HUB), node(BANK, GROUP), node(STORE, GROUP), node(AIR, HUB)]
    limits = [DebitCap(900 + of, of, "CNY", amount) for of, amount in caps]
    return with_changes(Configuration(), 1, [*nodes, *limits])


def book(*caps: tuple[int, int]) -> Book:
    made = Book(1000, NOW, configuration(*caps))
    for number, (id, status) in enumerate(((CLOSED, WindowStatus.CLOSED), (OPEN, WindowStatus.OPEN)), start=1):
        made.windows[id] = Window(id=id, model="default", number=number, ordinal=number, status=status, opened_at=NOW)
    return made


def pay(draft: Draft, payer: int, payee: int, amount: int) -> None:
    draft.money(draft.new_id(), payer, payee, "CNY", amount, Purpose.SETTLEMENT)
