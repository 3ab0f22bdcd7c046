"""The Merkle tree hash over report lines: one short value that stands for millions of lines in their order.

RFC 9162 section 2.1.1 (the same as RFC 6962): SHA-256, a 0x00 byte before a leaf and a 0x01 byte before an inner node,
so that no line can pass for a node; an empty list is the hash of nothing. The lines are streamed: one hash for each
perfect subtree is held, O(log n). An inclusion path (section 2.1.3) shows that one line stands at its place, by the
hashes of all that stands beside it, without any other line. Nothing here looks into the lines.
"""

from collections.abc import Sequence
from hashlib import sha256

_LEAF = b"\x00"
_NODE = b"\x01"


def leaf(line: bytes) -> bytes:
    """The hash of ``line`` as a leaf of a tree, whichever it is."""
    return sha256(_LEAF + line).digest()


class Root:
    """The tree hash of the lines added so far."""

    __slots__ = ("_subtrees", "count")

    def __init__(self) -> None:
        self.count = 0
        # One hash per set bit of ``count``, the largest perfect subtree first: the left edge of the tree that has no
        # right sibling yet.
        self._subtrees: list[bytes] = []

    def add(self, line: bytes) -> None:
        """Append ``line`` as the next leaf, its bytes as they are (a line break is part of no line)."""
        node = leaf(line)
        level = self.count
        while level & 1:  # as in binary addition: a full pair is carried one level up
            node = sha256(_NODE + self._subtrees.pop() + node).digest()
            level >>= 1
        self._subtrees.append(node)
        self.count += 1

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Append lines that ``leaf`` has hashed: once for several trees, and faster than one by one."""
        done = 0
        while done < len(leaves):
            # The largest perfect subtree that can stand here, of as many lines as there are.
            size = 1 << (len(leaves) - done).bit_length() - 1
            if self.count:
                size = min(size, self.count & -self.count)
            nodes = leaves[done : done + size]
            while len(nodes) > 1:
                nodes = [
                    sha256(_NODE + left + right).digest() for left, right in zip(nodes[::2], nodes[1::2], strict=True)
                ]
            [node] = nodes
            level = self.count // size
            while level & 1:
                node = sha256(_NODE + self._subtrees.pop() + node).digest()
                level >>= 1
            self._subtrees.append(node)
            self.count += size
            done += size

    def hexdigest(self) -> str:
        """The root over all lines added so far, 64 lower-case hex digits; more lines may follow."""
        if not self._subtrees:
            return sha256(b"").hexdigest()
        node = self._subtrees[-1]
        for left in reversed(self._subtrees[:-1]):
            node = sha256(_NODE + left + node).digest()
        return node.hex()


class Path:
    """The inclusion path of one line, made while all lines of the tree are streamed in their order.

    Raises:
        IndexError: there is no line ``index`` (the first is 0) among ``count``.
    """

    __slots__ = ("_added", "_beside", "_count")

    def __init__(self, index: int, count: int) -> None:
        if not 0 <= index < count:
            raise IndexError(index)
        self._count = count
        self._added = 0
        self._beside = [(start, end, Root()) for start, end in beside(index, count)]

    def add(self, line: bytes) -> None:
        """Append ``line`` as the next leaf."""
        for start, end, root in self._beside:
            if start <= self._added < end:
                root.add(line)
                break
        self._added += 1

    def hexdigests(self) -> tuple[str, ...]:
        """The path, from the line's neighbour up to the other half of the tree.

        Raises:
            ValueError: other than ``count`` lines were added.
        """
        if self._added != self._count:
            raise ValueError(f"There were {self._added} lines and not {self._count}.")
        return tuple(root.hexdigest() for _, _, root in self._beside)


def beside(index: int, count: int) -> list[tuple[int, int]]:
    """The subtrees beside the way from leaf ``index`` to the root of ``count`` leaves, each as the leaves from a first
    one to before another; the smallest first."""
    ranges = []
    start, end = 0, count
    while end - start > 1:
        middle = start + (1 << (end - start - 1).bit_length() - 1)  # the largest power of two below the leaves here
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    return ranges[::-1]


def root_of(line: bytes, index: int, count: int, path: Sequence[bytes]) -> str | None:
    """The root, in 64 hex digits, of the tree of ``count`` leaves in which ``line`` stands at ``index`` beside
    ``path``; None: such a tree's path has another length. After RFC 9162 section 2.1.3.2."""
    if not 0 <= index < count:
        return None
    here, last = index, count - 1
    node = leaf(line)
    for sibling in path:
        if last == 0:
            return None
        if here & 1 or here == last:
            node = sha256(_NODE + sibling + node).digest()
            while here and not here & 1:  # the right edge: levels on which this node has no sibling
                here, last = here >> 1, last >> 1
        else:
            node = sha256(_NODE + node + sibling).digest()
        here, last = here >> 1, last >> 1
    return node.hex() if last == 0 else None
