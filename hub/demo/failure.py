"""What makes the demo stop: something did not go as it tells. Its message is one sentence for the reader."""


class DemoFailed(Exception):
    """The demo did not go as told."""


def expect(holds: bool, sentence: str) -> None:
    """Stop the demo with ``sentence`` unless ``holds``: a demo that lies is worse than none."""
    if not holds:
        raise DemoFailed(sentence)
