"""The one thing that can be wrong with a data set: it cannot be read as what it claims to be."""


class DatasetError(ValueError):
    """Bytes that are no data set, or one beyond a limit.

    ``limit`` is the id of the limit or rule (``L9`` ... ``L12``, ``R-5``); ``comment`` names it,
    has at most 64 characters and never holds a value, so that it may be sent as Error Comment.
    """

    def __init__(self, limit: str, problem: str) -> None:
        self.limit = limit
        self.comment = f"{limit}: {problem}"[:64]
        super().__init__(self.comment)
