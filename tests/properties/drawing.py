"""Random commands in a small world, and what the model makes of each: for the machine and the simulator.

Whoever draws asks the model to let time pass before each answer is judged.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from hub.ledger import commands, decide
from tests.properties.model.records import Act, Figures, Kept, Offer, Promise
from tests.properties.picking import Drawn
from tests.properties.sharing import Sharing


class Drawing(Sharing):
    """Draws commands by a seed, and judges what is answered to them."""

    def draw(self) -> Drawn:
        """A command, and what the model makes of it when its turn comes."""
        kinds: dict[Callable[[], Drawn], int] = {
            self.issue: 20,
            self.transfer: 14,
            self.redeem: 10,
            self.quote: 8,
            self.execute: 8,
            self.convert: 20,
            self.reverse: 18,
            self.hold: 14,
            self.capture: 16,
            self.release: 3,
            self.freeze: 5,
            self.resolve: 5,
            self.freeze_account: 2,
            self.unfreeze_account: 3,
            self.write_off: 2,
            self.contribute: 8,
            self.join: 4,
            self.leave: 4,
            self.create_pool: 1,
        }
        return self.dice.choices(list(kinds), list(kinds.values()))[0]()

    # --- judging -----------------------------------------------------------------------------------------------------

    def twist(self, command: Any) -> Any:
        """The same key for something else."""
        for field, other in (("amount", "77777"), ("quote", 99), ("hold", 99), ("freeze", 99), ("reason", "another")):
            if hasattr(command, field):
                return msgspec.structs.replace(command, **{field: other})
        return msgspec.structs.replace(command, pool=commands.Party("HUB", "another"))

    def judge(self, command: Any, answer: decide.Outcome, reasons: set[str], expected: Any) -> int:
        got = None if answer.refusal is None else answer.refusal.code
        self.saw(got or type(command).__name__)
        assert not answer.replayed
        assert (got in reasons) if reasons else (got is None), (command, got, reasons)
        number = getattr(answer.result, "id", None)
        if isinstance(command, commands.Keyed):
            details = {} if answer.refusal is None else answer.refusal.details
            self.kept[command.key] = Kept(command, got, details, number)
        if reasons:
            return 0
        assert number is not None
        self.learn(answer.result, number, expected)
        return 1

    def learn(self, result: Any, number: int, expected: Any) -> None:
        """Hold a result against what is expected, and know it by its number."""
        match expected:
            case None:
                self.final.append(number)
            case Offer():
                assert of_figures(result.figures) == expected.figures
                self.model.offers[number] = expected
            case Act():
                assert result.amount == expected.total
                assert (result.value or 0) == sum(amount for _, _, amount in expected.money)
                self.model.acts[number] = expected
            case Promise():
                self.learn_hold(result.hold, expected)
            case (Promise() as promise, Act() as act):
                self.learn_hold(result.hold, promise)
                self.model.acts[result.hold.id] = act
            case (Act() as act, figures):
                assert of_figures(result.figures) == figures
                self.model.acts[number] = act
            case (units, amounts):
                assert result.amount == units
                assert [result.value or 0, result.fee or 0][: len(amounts)] == amounts

    def learn_hold(self, held: Any, promise: Promise) -> None:
        assert (held.amount, held.captured, held.shortfall) == (promise.amount, promise.captured, promise.shortfall)
        assert held.status == promise.status
        assert held.expires_at == promise.until or promise.frozen
        self.model.holds[held.id] = promise

    def check_replay(self, command: Any, answer: Any) -> None:
        kept = self.kept[command.key]
        assert answer.replayed
        assert (answer.refusal and answer.refusal.code) == kept.reason
        assert list((answer.refusal.details if answer.refusal else {}).items()) == list(kept.details.items())
        assert getattr(answer.result, "id", None) == kept.number
        self.saw("replay")


def of_figures(found: Any) -> Figures:
    return Figures(
        found.source, found.target, found.bonus, found.fee, found.settlement, tuple(found.eligible), found.residue
    )
