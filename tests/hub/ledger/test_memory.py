"""Memory: what never changes is remembered, and the oldest is forgotten first."""

from hub.ledger.memory import Memory
from hub.ledger.records import Customer


def filled(entries: int, entries_max: int) -> Memory:
    memory = Memory(entries_max)
    for number in range(entries):
        memory.remember((1, f"c{number}", "PTS"), Customer(number, 1, f"c{number}"), 1_000 + number)
    return memory


def test_a_customer_is_recalled_with_its_account() -> None:
    memory = filled(1, 10)
    assert memory.recall((1, "c0", "PTS")) == (Customer(0, 1, "c0"), 1_000)


def test_another_institution_reference_or_currency_recalls_nothing() -> None:
    memory = filled(1, 10)
    assert memory.recall((2, "c0", "PTS")) is None
    assert memory.recall((1, "c1", "PTS")) is None
    assert memory.recall((1, "c0", "MILES")) is None


def test_when_it_is_full_the_oldest_half_goes() -> None:
    memory = filled(11, 10)  # the eleventh is one too many: 11 // 2 = 5 go
    recalled = [number for number in range(11) if memory.recall((1, f"c{number}", "PTS")) is not None]
    assert recalled == [5, 6, 7, 8, 9, 10]
