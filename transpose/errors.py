"""The one error a user can cause, and what a machine does to a process."""

import re


class InputError(Exception):
    """Bad input, told in one line that names the file, the record in it and the field of that record.

    Commands print it without a traceback and exit with status 1.
    """

    def __init__(self, file: object, record: object | None, field: str | None, problem: str) -> None:
        self.file = file
        self.record = record
        self.field = field
        self.problem = problem
        super().__init__(file, record, field, problem)

    def __str__(self) -> str:
        places = (str(place) for place in (self.file, self.record, self.field) if place is not None)
        return " ".join(": ".join((*places, self.problem)).split())


def lost_worker(error: RuntimeError) -> str | None:
    """What to tell of a process that made batches and was killed from outside; None for any other error.

    PyTorch raises it out of a signal's handler, wherever the program is, and has no type of its own for it.
    """
    told = re.match(r"DataLoader worker \(pid.*?\) (is killed by signal: \w[\w ]*|exited unexpectedly)", str(error))
    if told is None:
        return None
    reason = told[1].removeprefix("is ").strip()
    advice = "the same command continues; fewer training.workers take less memory, if it was that"
    return f"a process that loads images was ended ({reason}); {advice}"
