"""The standing instructions to misbehave, each of which is taken so and so often."""

import msgspec

from adapters.simulator.books import Books
from adapters.simulator.script import Play, Question, Script


class Scripts:
    """The instructions in the books."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def add(self, script: Script) -> int:
        """Remember an instruction; its number."""
        with self._books.transaction():
            body = msgspec.json.encode(script)
            return (
                self._books.execute("INSERT INTO script (left, body) VALUES (?, ?)", (script.next, body)).lastrowid or 0
            )

    def standing(self) -> list[tuple[int, int, Script]]:
        """The standing instructions: number, how often they are still taken, and what."""
        rows = self._books.all("SELECT * FROM script ORDER BY id")
        return [(row["id"], row["left"], msgspec.json.decode(row["body"], type=Script)) for row in rows]

    def clear(self) -> None:
        """Behave from now on."""
        with self._books.transaction():
            self._books.execute("DELETE FROM script")

    def play_question(self, question: Question, member: str | None = None) -> Play | None:
        """How to misbehave in answering a question."""
        with self._books.transaction() as now:
            play = self.take(question.value, member)
            if play is not None:
                self._books.note(now, play.behaviour, None, f"{question}: {sentence(play)}")
            return play

    def take(self, operation: str, member: str | None) -> Play | None:
        """Use up one of the first standing instruction that fits, within a transaction."""
        for number, left, script in self.standing():
            questions = operation in Question.__members__
            if script.operation not in (None, operation) or (script.operation is None and questions):
                continue  # what names no operation is for orders
            if script.member not in (None, member):
                continue
            if left == 1:
                self._books.execute("DELETE FROM script WHERE id = ?", (number,))
            else:
                self._books.execute("UPDATE script SET left = left - 1 WHERE id = ?", (number,))
            return script.play
        return None


def sentence(play: Play) -> str:
    """How an instruction that was taken is noted."""
    more = [str(play.reason)] if play.reason is not None else []
    more += [f"{play.ms} ms"] if play.ms else []
    return f"The script has it so ({', '.join(more)})." if more else "The script has it so."
