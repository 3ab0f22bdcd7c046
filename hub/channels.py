"""Channels: what processes tell one another with a commit. A word on one is a wake-up and no record: whoever is woken
looks at the database.
"""

from enum import StrEnum


class Channel(StrEnum):
    """What has been committed. Every batch is told on BATCHES, and on the others what concerns those who need not look
    at every batch."""

    BATCHES = "points_hub_batches"
    CONFIGURATION = "points_hub_configuration"  # a batch has changed it
    CALLS = "points_hub_calls"  # a batch has begun or ended what a partner is asked
    WEBHOOKS = "points_hub_webhooks"  # there are events to send
