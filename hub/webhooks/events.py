"""Events: what rows of the journal come to, in the words of the API. Pure."""

from hub import ids
from hub.configuration import Configuration
from hub.ids import first_of
from hub.webhooks import acts, scheme
from hub.webhooks.endpoints import EventType
from hub.webhooks.event import Event, Words
from hub.webhooks.taken import Taken


def last_of(batch: int) -> int:
    """The last identifier of a batch."""
    return first_of(batch + 1) - 1


def events(configuration: Configuration, taken: Taken) -> list[Event]:
    """The events of some batches, in the order of their places; of one place in the order of their making."""
    words = Words(configuration)
    made: list[Event] = []
    for moved in taken.movements:
        made.extend(acts.of_movement(words, taken, moved))
    for batch, conversion in taken.changed:
        made.append(acts.of_conversion(words, conversion, last_of(batch), taken.times[batch]))
    for batch, accepted, status in taken.waiting:
        made.extend(acts.of_waiting(words, taken, accepted, status, last_of(batch), taken.times[batch]))
    for change, rate in taken.changes:
        made.append(scheme.of_rate(words, rate, change.version, taken.times[ids.batch_of(change.version)]))
    for type, windows in ((EventType.WINDOW_CLOSED, taken.closed), (EventType.WINDOW_SETTLED, taken.settled)):
        for batch, window in windows:
            own = scheme.own_nets(words, taken.nets.get(window.id, ()), taken.obligations.get(window.id, ()))
            made.append(scheme.of_window(words, window, type, last_of(batch), taken.times[batch], own))
    for turn in taken.breaks:
        made.append(scheme.of_break(words, turn, taken.times[ids.batch_of(turn.step)]))
    made.extend(scheme.of_acceptance(words, one) for one in taken.acceptances)
    for step, dispute in taken.disputed:
        made.append(scheme.of_dispute(words, step, dispute, taken.times[ids.batch_of(step.id)]))
    made.extend(scheme.of_notice(words, one, taken.times[ids.batch_of(one.id)]) for one in taken.low)
    made.sort(key=lambda event: event.place)  # stable: a window is closed before it is settled
    return made
