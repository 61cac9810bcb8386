"""What the parser says when it cannot go on."""

from __future__ import annotations


class SqlError(Exception):
    """PostgreSQL would refuse the text: `message` is close to its own words, `offset` the place."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


class NotUnderstood(Exception):
    """The parser does not know the construct, so nobody can say whether it would run."""

    def __init__(self, what: str, offset: int) -> None:
        super().__init__(what)
        self.what = what
        self.offset = offset
