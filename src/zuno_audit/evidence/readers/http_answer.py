"""Saved HTTP answers: `curl -i` (status line, headers, body) or the transcript of `curl -v`."""

from __future__ import annotations

import re

from zuno_audit.evidence.observation import BrokenEvidence, Observation, Reading

_STATUS = re.compile(rb"(?:< )?HTTP/[0-9.]+ (\d{3})[^\n]*")
_HEAD = re.compile(rb"\s*(?:HTTP/[0-9.]+ \d{3}|\* [^\n]*\n|> [A-Z]+ \S+ HTTP/)")
_REQUEST = re.compile(rb"(?m)^> ([A-Z]+) (\S+) HTTP/")
_HOST = re.compile(rb"(?mi)^> host: (\S+)")
_BODY_START = re.compile(rb"\r?\n(?:< )?\r?\n")


def recognise(head: bytes) -> bool:
    """True for a status line at the start, or for curl's transcript with one."""
    return _HEAD.match(head) is not None and _STATUS.search(head) is not None


def read(data: bytes) -> Reading:
    """One `answer`: `number` the last status, `name` the path where the transcript shows it, label `host`.

    Redirections and `100 Continue` come first; what counts is the last status line before the body.
    Raises BrokenEvidence.
    """
    statuses = [m for m in _STATUS.finditer(data[:65_536]) if data[: m.start()][-1:] in (b"", b"\n")]
    if not statuses:
        raise BrokenEvidence("an HTTP answer without a status line")
    last = _last_of_head(data, statuses)
    request, host = _REQUEST.search(data), _HOST.search(data)
    labels = [("host", host.group(1).decode("utf-8", "replace"))] if host else []
    return Reading(
        (
            Observation(
                "answer",
                request.group(2).decode("utf-8", "replace") if request else "",
                number=float(last.group(1)),
                labels=tuple(labels),
                line=data.count(b"\n", 0, last.start()) + 1,
            ),
        )
    )


def _last_of_head(data: bytes, statuses: list[re.Match[bytes]]) -> re.Match[bytes]:
    """The status after which the body comes: each must directly follow the blank line of the one before."""
    current = statuses[0]
    for following in statuses[1:]:
        blank = _BODY_START.search(data, current.end())
        if blank is None or data[blank.end() : following.start()].strip(b"\r\n* <"):
            break
        current = following
    return current
