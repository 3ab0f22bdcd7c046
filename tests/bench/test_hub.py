"""What the hub complained of is told; what it merely mentioned is not."""

from bench.hub import LOG_LINES_SHOWN, complaints


def test_warnings_and_errors_are_complaints() -> None:
    warning, error = '{"event": "not ready", "level": "warning"}', '{"event": "internal_error", "level": "error"}'
    mentioned = '{"event": "request", "level": "info"}'

    assert complaints([mentioned, warning, mentioned, error]) == [warning, error]


def test_what_is_no_line_of_the_hubs_own_is_a_complaint() -> None:
    crash = ["Traceback (most recent call last):", '  File "x.py", line 1']

    assert complaints(crash) == crash


def test_the_last_complaints_are_told() -> None:
    lines = [f'{{"event": "{number}", "level": "error"}}' for number in range(LOG_LINES_SHOWN + 1)]

    assert complaints(lines) == lines[1:]
