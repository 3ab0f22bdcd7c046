"""What is said to limit follows from who was busy."""

from bench.table import limit


def test_a_busy_machine_is_limited_by_its_cpu_and_says_who_uses_most() -> None:
    assert limit({"hub": 1.2, "postgres": 0.5, "client": 0.2}, 2) == "CPU: hub 63%"  # 1.2 of 1.9


def test_a_machine_with_time_to_spare_is_limited_by_waiting() -> None:
    assert limit({"hub": 0.9, "postgres": 0.1}, 2) == "waiting (disk, locks, one thread): 50% idle"
