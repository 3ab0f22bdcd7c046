from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from settlement.merkle import Root

# The leaves and roots that RFC 6962 implementations check themselves against.
LEAVES = [
    bytes.fromhex(leaf)
    for leaf in ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def root_of(lines: list[bytes]) -> Root:
    root = Root()
    for line in lines:
        root.add(line)
    return root


def by_definition(lines: list[bytes]) -> bytes:
    """RFC 9162 section 2.1.1, as it is written there: split at the largest power of two below n."""
    if not lines:
        return sha256(b"").digest()
    if len(lines) == 1:
        return sha256(b"\x00" + lines[0]).digest()
    split = 1
    while split * 2 < len(lines):
        split *= 2
    return sha256(b"\x01" + by_definition(lines[:split]) + by_definition(lines[split:])).digest()


@pytest.mark.parametrize("count", range(len(ROOTS)))
def test_known_roots(count: int) -> None:
    root = root_of(LEAVES[:count])
    assert root.hexdigest() == ROOTS[count]
    assert root.count == count


@settings(deadline=None)
@given(st.lists(st.binary(max_size=4), max_size=70))
def test_streaming_equals_the_definition(lines: list[bytes]) -> None:
    assert root_of(lines).hexdigest() == by_definition(lines).hex()


def test_reading_the_root_does_not_disturb_it() -> None:
    root = Root()
    for line in LEAVES:
        root.add(line)
        root.hexdigest()
    assert root.hexdigest() == ROOTS[-1]


def test_memory_is_logarithmic() -> None:
    root = root_of([b"line"] * 1_023)
    assert len(root._subtrees) == 10  # 1,023 = ten set bits


def test_a_line_cannot_pass_for_a_node() -> None:
    left, right = sha256(b"\x00a").digest(), sha256(b"\x00b").digest()
    assert root_of([b"a", b"b"]).hexdigest() != root_of([left + right]).hexdigest()
