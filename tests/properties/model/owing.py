"""What institutions owe each other in the model: positions in the tree, caps, and windows."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from tests.properties.model.records import Money, Refused


def _nothing() -> list[int]:
    return [0, 0]


def _whole(parts: dict[str, int], total: int, cent: int) -> dict[str, int]:
    """Parts in whole cents that sum to ``total``: down, and a cent more for those who lost most."""
    whole = {node: value // cent * cent for node, value in parts.items()}
    short = (total - sum(whole.values())) // cent
    losers = sorted(parts, key=lambda node: (whole[node] - parts[node], node))
    for node in losers[:short]:
        whole[node] += cent
    return whole


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
        self.paid: set[tuple[int, str]] = set()
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
        """Net the open window to whole cents, level by level: what settles with the hub to zero, then each net into
        what is a node's own and what its children come to. Open the next."""
        parents = self.parents_in[self.window]
        own = {
            node: sides[1] - sides[0]
            for (window, node), sides in self.own.items()
            if window == self.window and any(sides)
        }
        total: dict[str, int] = defaultdict(int)
        for node, value in own.items():
            for one in self.levels(node, parents):
                total[one] += value
        tops = {self.levels(node, parents)[-1] for node in total}
        nets, waiting = _whole({top: total[top] for top in tops}, 0, cent), sorted(tops)
        shares: dict[str, int] = {}
        while waiting:
            node = waiting.pop()
            children = [one for one in total if self.levels(one, parents)[1:2] == [node]]
            parts = _whole({node: own.get(node, 0)} | {one: total[one] for one in children}, nets[node], cent)
            shares[node] = parts[node]
            nets.update((one, parts[one]) for one in children)
            waiting.extend(children)
        self.nets[self.window] = nets
        self.unpaid[self.window] = shares
        for top in tops:
            if not nets[top]:
                self._paid(self.window, top)
        self.window += 1
        self.parents_in[self.window] = dict(self.parents)
        self._settle()

    def levels(self, node: str, parents: dict[str, str]) -> list[str]:
        """A node and those to whom its net goes in the end: all above it but the operator."""
        path = list(self.above(node, parents))
        return path if node == "HUB" else path[:-1]

    def confirm(self, window: int, node: str, amount: int) -> set[str]:
        earlier = [one for one in self.nets if one < window and one not in self.settled]
        if earlier:
            return {"WINDOW_ORDER"}
        if window == self.window:
            return {"INVALID_INPUT"}
        if node not in self.nets[window]:
            return {"NOT_FOUND"}
        if len(self.levels(node, self.parents_in[window])) > 1:
            return {"INVALID_INPUT"}
        if self.nets[window][node] == 0 or (window, node) in self.paid:
            return {"DUPLICATE"}
        if amount != self.nets[window][node]:
            return {"INVALID_AMOUNT"}
        self._paid(window, node)
        self._settle()
        return set()

    def _paid(self, window: int, top: str) -> None:
        self.paid.add((window, top))
        for node in self.unpaid[window]:
            if top in self.levels(node, self.parents_in[window]):
                self.unpaid[window][node] = 0

    def _settle(self) -> None:
        for window in sorted(self.nets):
            parents = self.parents_in[window]
            tops = {self.levels(node, parents)[-1] for node in self.nets[window]}
            if any((window, top) not in self.paid for top in tops):
                return
            self.settled.add(window)
