"""The matrix: every step of an exchange, every fault at it, and the process gone at every place of it.

Nobody lists the steps. An exchange goes its way with nothing wrong; every step that a partner is seen at is one, every
fault is let happen at it, and what the hub does then may show further steps. In each of these courses the process is
killed, or stopped and comes back, at places where anything is different from the place before: what is written down,
what was sent, or, for who is only stopped, what the process was about to do. Another process comes at once.
"""

import multiprocessing
import os
from collections import Counter
from collections.abc import Collection, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from enum import Enum

from hub.ledger.orders import ExchangeState
from hub.partners import Status
from tests.exchange.course import STOPS, WAYS, Cell, Course, How, Place, Point, Wrong, play
from tests.exchange.scripted import FAULTS, PARTNERS, Step, faults_of
from tests.simulation.doors import Death


class Depth(Enum):
    """How much of the matrix is gone through. The states of a place take turns from one fault to the next."""

    EVERY_STATE = "every state of every place, and a stop before each different thing that is done"
    EVERY_PLACE = "one state of every place, and one stop"
    ONE_PLACE = "one place, or one stop"


@dataclass
class Met:
    """What was met. ``gone``: in which steps, with which faults, the process was killed at which place."""

    courses: Counter[str] = field(default_factory=Counter)
    steps: set[Step] = field(default_factory=set)
    following: set[Step] = field(default_factory=set)  # an order before
    gone: set[tuple[Step, str, Place]] = field(default_factory=set)
    told: set[Status] = field(default_factory=set)
    states: set[ExchangeState] = field(default_factory=set)
    movements: set[int] = field(default_factory=set)

    def take(self, course: Course) -> None:
        """Count a course."""
        rows, cell = course.memory.rows, course.cell
        how = "whole" if cell.how is None else cell.how.value
        self.courses.update([how, f"ended {course.exchange()['state']}"])
        self.steps |= course.script.struck.keys()
        states = [ExchangeState(row["state"]) for row in rows["exchange_step"].values()]
        self.following |= {step for step in course.script.struck if step.state is not states[0]}
        self.states |= set(states)
        self.movements |= {row["kind"] for row in rows["movement"].values()}
        self.told |= {Status(what.removeprefix("called ")) for what in course.seen if what.startswith("called ")}

    @property
    def total(self) -> int:
        return sum(times for what, times in self.courses.items() if not what.startswith("ended"))


def explore(way: str, partner: str, depth: Depth, met: Met, faults: Collection[str] = FAULTS) -> None:
    """The cells of a way over partners of a kind, with these faults.

    Raises:
        Wrong: with the first cell that went wrong.
    """
    for death in Death:
        met.take(play(Cell(way, partner, death=death)))
    for turn, course in enumerate(whole(way, partner, met, faults)):
        if not course.cell.script:
            continue
        step, fault = course.cell.script[-1]
        for point, place in chosen(list(kills(course.points, step)), depth, turn):
            met.gone.add((step, fault, place))
            met.take(play(replace(course.cell, how=How.KILLED, gone=point.number)))
        for point, how in stopping(list(stops(course.points, step)), depth, turn):
            met.take(play(replace(course.cell, how=how, gone=point.number)))


def everywhere(depth: Depth) -> tuple[Counter[str], list[str]]:
    """All ways over partners of all kinds, on as many processors as there are; answers what was met, and what was found
    wrong."""
    met, wrong = Counter[str](), []
    with ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("spawn")) as pool:
        jobs = [pool.submit(_apart, way, partner, depth) for way in WAYS for partner in PARTNERS]
        for courses, found in (job.result() for job in jobs):
            met.update(courses)
            wrong += found
    return met, wrong


def _apart(way: str, partner: str, depth: Depth) -> tuple[Counter[str], list[str]]:
    met = Met()
    try:
        explore(way, partner, depth, met)
    except Wrong as wrong:
        return met.courses, [str(wrong)]
    return met.courses, []


def whole(way: str, partner: str, met: Met, faults: Collection[str]) -> list[Course]:
    """The courses in which no process is gone: each fault at each step, as steps show."""
    known: set[Step] = set()
    waiting, courses = [Cell(way, partner)], []
    for cell in waiting:
        course = play(cell)
        courses.append(course)
        met.take(course)
        for step in course.script.struck:
            if step not in known:
                known.add(step)
                waiting += [
                    replace(cell, script=(*cell.script, (step, name))) for name in faults_of(step) if name in faults
                ]
    return courses


def stopping(all_: list[Point], depth: Depth, turn: int) -> list[tuple[Point, How]]:
    """Where to stop, of all that is possible."""
    if depth is Depth.EVERY_STATE:
        return [(point, how) for point in all_ for how in STOPS]
    one = all_[turn // len(STOPS) % len(all_)], STOPS[turn % len(STOPS)]
    return [one] if depth is Depth.EVERY_PLACE or turn % (len(Place) + 1) == len(Place) else []


def chosen(all_: list[tuple[Point, Place]], depth: Depth, turn: int) -> list[tuple[Point, Place]]:
    """Where to kill, of all that is possible."""
    if depth is Depth.EVERY_STATE:
        return all_
    of = [[one for one in all_ if one[1] is place] for place in Place]
    each = [states[turn % len(states)] for states in of if states]
    return each if depth is Depth.EVERY_PLACE else each[turn % (len(each) + 1) :][:1]


def kills(points: list[Point], step: Step) -> Iterator[tuple[Point, Place]]:
    """Where to kill in a step: wherever anything was written down or sent since the point before."""
    sent = step._replace(asked=False)
    before, is_over, seen = None, False, set()
    for point in points:
        if sent not in point.placed:
            before = point
        elif point.under_way != sent:
            if not is_over:
                yield point, Place.BEFORE_ANSWER
            is_over = True
        else:
            if before is not None and not step.asked:
                yield before, Place.BEFORE_INTENT
            before = None
            if point.state not in seen and (not step.asked or sent in point.struck):
                seen.add(point.state)
                yield point, Place.BEFORE_RESULT if step in point.struck else Place.BEFORE_CALL


def stops(points: list[Point], step: Step) -> Iterator[Point]:
    """Where to stop in a step: before each different thing that is about to be done in each state."""
    seen = set()
    for point in points:
        one = (point.name, point.state)
        if point.under_way == step._replace(asked=False) and "reading" not in point.name and one not in seen:
            seen.add(one)
            yield point
