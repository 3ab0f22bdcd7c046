"""Retries: the specification's schedule, with a tenth of jitter at most."""

from datetime import timedelta

from hub.webhooks.retries import ATTEMPTS_MAX, JITTER, PAUSES, pause


def test_the_schedule_is_the_specification_s() -> None:
    since = [sum(PAUSES[:attempts], timedelta(0)) for attempts in range(ATTEMPTS_MAX)]
    minutes = [divmod(int(one.total_seconds()), 60) for one in since]
    assert [f"{minute // 60:02}:{minute % 60:02}:{second:02}" for minute, second in minutes] == [
        *("00:00:00", "00:00:05", "00:05:05", "00:35:05", "02:35:05"),
        *("07:35:05", "17:35:05", "31:35:05", "51:35:05", "75:35:05"),
    ]


def test_the_last_attempt_is_followed_by_none() -> None:
    assert ATTEMPTS_MAX == 10
    assert pause(9, 0) == timedelta(hours=24)
    assert pause(10, 0) is None


def test_jitter_lengthens_a_pause_by_a_tenth_at_most() -> None:
    assert pause(2, 0) == timedelta(minutes=5)
    assert pause(2, JITTER // 2) == timedelta(minutes=5, seconds=15)  # 300 s x 0.05
    assert pause(2, JITTER) == timedelta(minutes=5, seconds=30)  # 300 s x 0.1
