"""What institutions owe each other in the model: positions in the tree, caps, and windows."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from tests.properties.model.records import Money, Refused


def _nothing() -> list[int]:
    return [0, 0]


class Owing:
    """The tree and the money in it."""

    def __init__(self, parents: dict[str, str]) -> None:
        self.parents = dict(parents)
        self.parents_in = {1: dict(parents)}
        self.status = dict.fromkeys([*parents, "HUB"], "ACTIVE")
        self.caps: dict[str, int] = {}
        self.window = 1
        self.own: dict[tuple[int, str], list[int]] = defaultdict(_nothing)
        self.nets: dict[int, dict[str, int]] = {}
        self.unpaid: dict[int, dict[str, int]] = {}
        self.settled: set[int] = set()

    def above(self, node: str, parents: dict[str, str]) -> Iterator[str]:
        yield node
        while node in parents:
            node = parents[node]
            yield node

    def standing(self, *nodes: str, keeping_promises: bool = False) -> set[str]:
        """Why nothing can be done with these, if so."""
        for node in nodes:
            statuses = {self.status[one] for one in self.above(node, self.parents)}
            if "SUSPENDED" in statuses or ("CLOSED" in statuses and not keeping_promises):
                return {"SUSPENDED"}
        return set()

    # --- what is owed ----------------------------------------------------------------------------------------------

    def subtree(self, window: int, node: str) -> int:
        """What the hub owes the subtree of a window and has not settled."""
        parents = self.parents_in[window]
        below = [one for one in [*self.parents, "HUB"] if node in self.above(one, parents)]
        if window in self.unpaid:
            return sum(self.unpaid[window].get(one, 0) for one in below)
        return sum(self.own[window, one][1] - self.own[window, one][0] for one in below)

    def exposure(self, node: str) -> int:
        live = [window for window in self.parents_in if window not in self.settled]
        return sum(max(0, -self.subtree(window, node)) for window in live)

    def pay(self, money: Iterable[Money]) -> None:
        """Let everybody owe what an act makes them owe, unless it worsens the exposure of a node above its cap.

        Raises:
            Refused: it does; nothing was paid.
        """
        with self._within_caps():
            for payer, payee, amount in money:
                if payer != payee and amount:
                    self.own[self.window, payer][0] += amount
                    self.own[self.window, payee][1] += amount

    @contextmanager
    def _within_caps(self) -> Iterator[None]:
        before = {node: self.exposure(node) for node in self.caps}
        kept = {key: list(sides) for key, sides in self.own.items()}
        yield
        for node, cap in self.caps.items():
            if cap < self.exposure(node) > before[node]:
                self.own.clear()
                self.own.update(kept)
                raise Refused("LIMIT_EXCEEDED")

    # --- settlement ------------------------------------------------------------------------------------------------

    def close(self, cent: int = 10_000) -> None:
        """Net the open window to whole cents that sum to zero, and open the next."""
        exact = {
            node: sides[1] - sides[0]
            for (window, node), sides in self.own.items()
            if window == self.window and any(sides)
        }
        nets = {node: value // cent * cent for node, value in exact.items()}
        short = -sum(nets.values()) // cent
        losers = sorted(exact, key=lambda node: (nets[node] - exact[node], node))
        for node in losers[:short]:
            nets[node] += cent
        self.nets[self.window] = nets
        self.unpaid[self.window] = dict(nets)
        self.window += 1
        self.parents_in[self.window] = dict(self.parents)
        self._settle()

    def confirm(self, window: int, node: str, amount: int) -> set[str]:
        earlier = [one for one in self.nets if one < window and one not in self.settled]
        if earlier:
            return {"WINDOW_ORDER"}
        if window == self.window:
            return {"INVALID_INPUT"}
        if node not in self.nets[window]:
            return {"NOT_FOUND"}
        if self.unpaid[window][node] == 0:
            return {"DUPLICATE"}
        if amount != self.nets[window][node]:
            return {"INVALID_AMOUNT"}
        self.unpaid[window][node] = 0
        self._settle()
        return set()

    def _settle(self) -> None:
        for window in sorted(self.nets):
            if any(self.unpaid[window].values()):
                return
            self.settled.add(window)
