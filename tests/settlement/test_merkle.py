from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from settlement.merkle import Path, Root, beside, leaf, root_of

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


def tree_of(lines: list[bytes]) -> Root:
    root = Root()
    for line in lines:
        root.add(line)
    return root


@given(st.lists(st.binary(max_size=4), max_size=70), st.lists(st.integers(0, 20), max_size=12))
def test_leaves_that_are_added_in_parts_make_the_same_tree(lines: list[bytes], sizes: list[int]) -> None:
    root, done = Root(), 0
    for size in (*sizes, len(lines)):
        root.extend([leaf(line) for line in lines[done : done + size]])
        done = min(done + size, len(lines))
        assert (root.count, root.hexdigest()) == (done, tree_of(lines[:done]).hexdigest())


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
    root = tree_of(LEAVES[:count])
    assert root.hexdigest() == ROOTS[count]
    assert root.count == count


@settings(deadline=None)
@given(st.lists(st.binary(max_size=4), max_size=70))
def test_streaming_equals_the_definition(lines: list[bytes]) -> None:
    assert tree_of(lines).hexdigest() == by_definition(lines).hex()


def test_reading_the_root_does_not_disturb_it() -> None:
    root = Root()
    for line in LEAVES:
        root.add(line)
        root.hexdigest()
    assert root.hexdigest() == ROOTS[-1]


def test_memory_is_logarithmic() -> None:
    root = tree_of([b"line"] * 1_023)
    assert len(root._subtrees) == 10  # 1,023 = ten set bits


def test_a_line_cannot_pass_for_a_node() -> None:
    left, right = sha256(b"\x00a").digest(), sha256(b"\x00b").digest()
    assert tree_of([b"a", b"b"]).hexdigest() != tree_of([left + right]).hexdigest()


# --- inclusion --------------------------------------------------------------------------------------------------------


def path_by_definition(index: int, lines: list[bytes]) -> list[bytes]:
    """RFC 9162 section 2.1.3.1, as it is written there."""
    if len(lines) == 1:
        return []
    split = 1
    while split * 2 < len(lines):
        split *= 2
    if index < split:
        return [*path_by_definition(index, lines[:split]), by_definition(lines[split:])]
    return [*path_by_definition(index - split, lines[split:]), by_definition(lines[:split])]


def path_of(index: int, lines: list[bytes]) -> list[bytes]:
    path = Path(index, len(lines))
    for line in lines:
        path.add(line)
    return [bytes.fromhex(one) for one in path.hexdigests()]


LINES = st.lists(st.binary(max_size=4), min_size=1, max_size=70)


@settings(deadline=None)
@given(LINES, st.data())
def test_a_streamed_path_is_the_definitions_and_leads_to_the_root(lines: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(lines) - 1))
    path = path_of(index, lines)
    assert path == path_by_definition(index, lines)
    assert root_of(lines[index], index, len(lines), path) == tree_of(lines).hexdigest()


@settings(deadline=None)
@given(LINES, st.data())
def test_nothing_else_leads_to_the_root(lines: list[bytes], data: st.DataObject) -> None:
    """Another line, another place, another number of lines, a hash more, less or other."""
    index, count = data.draw(st.integers(0, len(lines) - 1)), len(lines)
    path, root = path_of(index, lines), tree_of(lines).hexdigest()
    other = data.draw(st.binary(max_size=4).filter(lambda line: line != lines[index]))
    assert root_of(other, index, count, path) != root
    place = data.draw(
        st.integers(-1, count).filter(lambda place: place < 0 or place == count or lines[place] != lines[index])
    )
    assert root_of(lines[index], place, count, path) != root
    assert root_of(lines[index], index, count, [*path, bytes(32)]) != root
    for position in range(len(path)):
        assert root_of(lines[index], index, count, path[:position] + path[position + 1 :]) != root
        bent = bytes([path[position][0] ^ 1]) + path[position][1:]
        assert root_of(lines[index], index, count, [*path[:position], bent, *path[position + 1 :]]) != root


def test_a_path_is_as_long_as_the_tree_is_deep() -> None:
    assert [len(beside(0, count)) for count in (1, 2, 3, 4, 5, 10_000_000)] == [0, 1, 2, 2, 3, 24]
    assert len(beside(4, 5)) == 1  # the last of five stands beside the first four


def test_there_is_no_path_of_a_line_that_is_not_there() -> None:
    for index, count in ((-1, 1), (1, 1), (0, 0)):
        with pytest.raises(IndexError):
            Path(index, count)
    path = Path(0, 2)
    path.add(b"only one")
    with pytest.raises(ValueError, match="1 lines and not 2"):
        path.hexdigests()
