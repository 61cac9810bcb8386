"""How matchers put things: nouns from table names, sentences, the place that a pattern names."""

from __future__ import annotations

import re
from typing import Any

from zuno_audit.matchers.template import neutral

_SPELT = {
    "grpc": "gRPC",
    "http": "HTTP",
    "sql": "SQL",
    "graphql": "GraphQL",
    "amqp": "AMQP",
    "abi": "ABI",
    "k8s": "Kubernetes",
    "db": "database",
    "go": "Go",
    "env": "environment",
    "var": "variable",
}
_ROW_OF = {"service_health": "service", "service_log": "service"}  # what the rows of a table are about
_FOLDER = re.compile(r"(?<![^\s,])([^\s,*]+), \1/\*\*")


def noun(name: str) -> str:
    """A table or field name as words: `query:go/print_call` gives `print call`, `grpc_server` gives `gRPC server`."""
    name = _ROW_OF.get(name, name)
    words = neutral(name.rpartition("/")[2].replace("_", " ")).split(" ")
    return " ".join(_SPELT.get(word, word) for word in words)


def counted(name: str, count: int) -> str:
    """The noun of a table in singular or plural, without the number."""
    word = noun(name)
    if count == 1:
        return word
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return word[:-1] + "ies"
    return word + ("es" if word.endswith(("s", "x", "ch", "sh")) else "s")


def sentence(text: str) -> str:
    """Text that starts with a capital where it starts with a plain word, and ends with a full stop.

    A folder and all below it, `a, a/**`, is called by its name.
    """
    text = _FOLDER.sub(r"\1", text.strip())
    first = text.split(" ", 1)[0]
    if first.isalpha() and first.islower():
        text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?", "…")) else text + "."


def literal_prefix(pattern: str) -> str:
    """The part of a path pattern before its first wildcard segment: `services/a/**` gives `services/a`.

    Of several patterns separated by commas the first one counts.
    """
    kept = []
    for segment in pattern.split(",")[0].strip().split("/"):
        if any(wildcard in segment for wildcard in "*?"):
            break
        kept.append(segment)
    return "/".join(kept)


def patterns_of(predicate: Any) -> list[str]:
    """The patterns in a predicate on a path."""
    if isinstance(predicate, str):
        return [predicate]
    if isinstance(predicate, dict):
        return [text for key in ("glob", "in", "any", "all") for text in patterns_of(predicate.get(key))]
    if isinstance(predicate, list):
        return [text for item in predicate for text in patterns_of(item)]
    return []
