"""Channels: what processes tell one another with a commit. A word on one is a wake-up and no record: whoever is woken
looks at the database.
"""

from enum import StrEnum


class Channel(StrEnum):
    """What has been committed. Every batch is announced on BATCHES; on the others those that concern who need not look
    at every batch (``hub.ledger.writes.ANNOUNCED``)."""

    BATCHES = "points_hub_batches"
    CONFIGURATION = "points_hub_configuration"  # a batch has changed it
    ACTS = "points_hub_acts"  # a batch has changed an act that there was
    WINDOWS = "points_hub_windows"  # a batch has opened a window, or changed one
    CALLS = "points_hub_calls"  # a batch has begun or ended what a partner is asked
    WEBHOOKS = "points_hub_webhooks"  # there are events to send
