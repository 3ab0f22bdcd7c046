"""Configuring the tree: new institutions, moves, zones and statuses. The operator's work. Pure."""

from dataclasses import replace
from datetime import timedelta

from hub.access import Right
from hub.errors import Duplicate, InvalidInput, OrgCycle
from hub.institutions import Institution, Kind, Placement, SetOff, Status, ZoneVersion, is_below
from hub.ledger import commands, resolve
from hub.ledger.book import Book
from hub.ledger.draft import Draft
from hub.registry import checks


def root(draft: Draft, code: str, name: str) -> Institution:
    """The operator itself, made once when the hub is set up."""
    node = Institution(draft.new_id(), code, name, Kind.OPERATOR, Status.ACTIVE, None, (), (), auto_enroll=True)
    draft.nouns.append(node)
    return node


def create(book: Book, command: commands.CreateInstitution) -> Draft:
    """A new institution below ``parent`` (default: the operator). It is a member of the tree at once, for money too.

    Raises:
        Duplicate: the code is taken.
        NotFound: there is no such parent.
    """
    operator = book.configuration.operator
    parent = operator if command.parent is None else resolve.institution(book, command.parent)
    resolve.allow(book, command.actor, Right.OPERATE, operator.id)
    if command.kind is Kind.OPERATOR:
        raise InvalidInput(kind=command.kind.value)
    checks.code("code", command.code)
    checks.name("name", command.name)
    zones = _zones(command.zones)
    if book.configuration.institution(command.code) is not None:
        raise Duplicate(institution=command.code)
    draft = Draft(book)
    node = Institution(
        id=draft.new_id(),
        code=command.code,
        name=command.name,
        kind=command.kind,
        status=Status.ACTIVE,
        parent=parent.id,
        placements=(Placement(book.first_open, parent.id),),
        zones=zones,
        auto_enroll=command.auto_enroll,
        set_off=() if command.set_off else (SetOff(book.first_open, allowed=False),),
    )
    draft.nouns.append(node)
    draft.result = node
    return draft


def move(book: Book, command: commands.MoveInstitution) -> Draft:
    """Put an institution below another parent: for rights at once, for money from the next window on.

    Raises:
        OrgCycle: the new parent is the institution or stands below it, now or for the next window's money.
    """
    resolve.operating(book, command.actor)
    node, parent = resolve.institution(book, command.code), resolve.institution(book, command.parent)
    if is_below(book.configuration.institutions, parent.id, node.id):
        raise OrgCycle(institution=node.code, parent=parent.code)
    following = book.newest_window.ordinal + 1
    kept = tuple(placement for placement in node.placements if placement.window < following)
    moved = replace(node, parent=parent.id, placements=(*kept, Placement(following, parent.id)))
    return _noun(book, moved)


def set_status(book: Book, command: commands.SetInstitutionStatus) -> Draft:
    """Suspend, close or reactivate an institution; the operator itself stays active."""
    resolve.operating(book, command.actor)
    node = resolve.institution(book, command.code)
    checks.name("reason", command.reason)
    if node.parent is None:
        raise InvalidInput(institution=node.code)
    return _noun(book, replace(node, status=command.status))


def set_set_off(book: Book, command: commands.SetSetOff) -> Draft:
    """Say whether an institution is a legal entity that forbids set-off among itself and its children, from the next
    window on. By the operator.

    Raises:
        InvalidInput: it is the operator, over whose members netting is what the hub is for.
    """
    resolve.operating(book, command.actor)
    node = resolve.institution(book, command.code)
    if node.parent is None:
        raise InvalidInput(institution=node.code)
    following = book.newest_window.ordinal + 1
    kept = tuple(version for version in node.set_off if version.window < following)
    return _noun(book, replace(node, set_off=(*kept, SetOff(following, command.allowed))))


def set_zones(book: Book, command: commands.SetZones) -> Draft:
    """The economic zones of an institution from an instant on, that in which its figures are counted first; none: it
    is in no zone. Versions that have not begun stay. One person of the operator's is enough, because no net moves
    with a zone; a plan that shares the operator's own fees may name one, and that took two persons.

    Raises:
        InvalidInput: the start is past, or a zone is malformed or named twice.
        Duplicate: a version begins at that instant.
    """
    resolve.operating(book, command.actor)
    node = resolve.institution(book, command.institution)
    zones, starts = _zones(command.zones), command.starts or book.at
    if starts < book.at:
        raise InvalidInput(effectiveFrom=starts.isoformat())
    taken = {version.starts for version in node.zone_versions}
    while command.starts is None and starts in taken:  # set by the same batch
        starts += timedelta(microseconds=1)
    if starts in taken:
        raise Duplicate(effectiveFrom=starts.isoformat())
    versions = sorted((*node.zone_versions, ZoneVersion(starts, zones)), key=lambda version: version.starts)
    return _noun(book, replace(node, zone_versions=tuple(versions)))


def _zones(named: tuple[str, ...]) -> tuple[str, ...]:
    zones = tuple(checks.name("zone", zone) for zone in named)
    if len(set(zones)) < len(zones):
        raise InvalidInput(zones=",".join(zones)[:60])
    return zones


def _noun(book: Book, node: Institution) -> Draft:
    draft = Draft(book)
    draft.nouns.append(node)
    draft.result = node
    return draft
