"""The Merkle tree hash over report lines: one short value that stands for millions of lines in their order.

RFC 9162 section 2.1.1 (the same as RFC 6962): SHA-256, a 0x00 byte before a leaf and a 0x01 byte before an inner node,
so that no line can pass for a node; an empty list is the hash of nothing. The lines are streamed: one hash for each
perfect subtree is held, O(log n). It makes no inclusion proofs and does not look into the lines.
"""

from hashlib import sha256

_LEAF = b"\x00"
_NODE = b"\x01"


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
        node = sha256(_LEAF + line).digest()
        level = self.count
        while level & 1:  # as in binary addition: a full pair is carried one level up
            node = sha256(_NODE + self._subtrees.pop() + node).digest()
            level >>= 1
        self._subtrees.append(node)
        self.count += 1

    def hexdigest(self) -> str:
        """The root over all lines added so far, 64 lower-case hex digits; more lines may follow."""
        if not self._subtrees:
            return sha256(b"").hexdigest()
        node = self._subtrees[-1]
        for left in reversed(self._subtrees[:-1]):
            node = sha256(_NODE + left + node).digest()
        return node.hex()
