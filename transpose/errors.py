"""The one error a user can cause, and what a machine does to a process."""


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


class LostWorkerError(Exception):
    """A process that makes batches was killed from outside."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)

    def __str__(self) -> str:
        advice = "the same command continues; fewer training.workers take less memory, if it was that"
        return f"a process that loads pictures was ended ({self.reason}); {advice}"
