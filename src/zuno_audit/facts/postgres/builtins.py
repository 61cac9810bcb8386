"""What a fresh PostgreSQL 15 with its contrib extensions knows, looked up in `builtins.txt`."""

from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple


class BuiltinFunction(NamedTuple):
    """All functions of one name in one extension (`-`: the server).

    `volatility` holds i, s, v or several of them when it depends on the arguments, `a` for an aggregate;
    `result` is None when it depends on the arguments.
    """

    extension: str
    name: str
    volatility: str
    least: int
    most: int
    result: str | None


class OperatorClass(NamedTuple):
    """An operator class: for which type, and whether an index uses it without being told."""

    extension: str
    method: str
    name: str
    type: str
    default: bool


@cache
def _data() -> str:
    return "\n" + Path(__file__).with_name("builtins.txt").read_text("utf-8")


@lru_cache(maxsize=1024)
def functions(name: str) -> tuple[BuiltinFunction, ...]:
    """Every built-in or contrib function of that name."""
    found = []
    for row in _rows("f", f" {name} "):
        _, extension, known, volatility, least, most, result = row.split(" ")
        if known == name:
            kind = None if result == "?" else result.replace("_", " ")
            found.append(BuiltinFunction(extension, name, volatility, int(least), int(most), kind))
    return tuple(found)


@lru_cache(maxsize=1024)
def type_extensions(name: str) -> tuple[str, ...]:
    """The extensions that bring a type of that name; `-` is the server itself."""
    return tuple(row.split(" ")[1] for row in _rows("t", f" {name}\n") if row.split(" ")[2] == name)


def is_setting(name: str) -> bool:
    """True for a parameter that SET knows; one with a dot may be anybody's."""
    return "." in name or f"\ns - {name.lower()}\n" in _data() or name == "role"


@cache
def operator_classes(method: str) -> tuple[OperatorClass, ...]:
    """All operator classes of an index method."""
    found = []
    for row in _rows("o", f" {method} "):
        _, extension, known, name, kind, default = row.split(" ")
        if known == method:
            found.append(OperatorClass(extension, method, name, kind.replace("_", " "), default == "t"))
    return tuple(found)


def _rows(kind: str, needle: str) -> list[str]:
    """The rows of a kind that hold a text; a search in the text is faster than reading it all."""
    data = _data()
    found = []
    at = data.find(needle)
    while at >= 0:
        start = data.rfind("\n", 0, at) + 1
        end = data.find("\n", at)
        if data[start] == kind:
            found.append(data[start:end])
        at = data.find(needle, max(end, at + 1) - (1 if needle.endswith("\n") else 0))
    return found


INDEX_METHODS = ("btree", "hash", "gist", "gin", "spgist", "brin", "bloom")
# The contrib extensions that the official image ships, with what they need first (pg_available_extensions).
CONTRIB = frozenset(
    [
        "adminpack",
        "amcheck",
        "autoinc",
        "bloom",
        "btree_gin",
        "btree_gist",
        "citext",
        "cube",
        "dblink",
        "dict_int",
        "dict_xsyn",
        "earthdistance",
        "file_fdw",
        "fuzzystrmatch",
        "hstore",
        "insert_username",
        "intagg",
        "intarray",
        "isn",
        "lo",
        "ltree",
        "moddatetime",
        "old_snapshot",
        "pageinspect",
        "pg_buffercache",
        "pg_freespacemap",
        "pg_prewarm",
        "pg_stat_statements",
        "pg_surgery",
        "pg_trgm",
        "pg_visibility",
        "pg_walinspect",
        "pgcrypto",
        "pgrowlocks",
        "pgstattuple",
        "plpgsql",
        "postgres_fdw",
        "refint",
        "seg",
        "sslinfo",
        "tablefunc",
        "tcn",
        "tsm_system_rows",
        "tsm_system_time",
        "unaccent",
        "uuid-ossp",
        "xml2",
    ]
)
REQUIRES = {"earthdistance": ("cube",)}
# Operators that are not immutable (pg_operator joined with pg_proc): name, left, right.
UNSTABLE_OPERATORS = frozenset(
    {(op, a, b) for op in ("<", "<=", "=", "<>", ">=", ">") for a, b in (
        ("timestamp without time zone", "timestamp with time zone"),
        ("timestamp with time zone", "timestamp without time zone"),
        ("date", "timestamp with time zone"),
        ("timestamp with time zone", "date"),
    )}
    | {
        ("+", "interval", "timestamp with time zone"),
        ("+", "timestamp with time zone", "interval"),
        ("-", "timestamp with time zone", "interval"),
    }
)  # fmt: skip
# Casts that are not immutable (pg_cast joined with pg_proc); from text every input function counts too.
UNSTABLE_CASTS = frozenset(
    {
        ("date", "timestamp with time zone"),
        ("time without time zone", "time with time zone"),
        ("timestamp without time zone", "timestamp with time zone"),
        ("timestamp with time zone", "date"),
        ("timestamp with time zone", "time without time zone"),
        ("timestamp with time zone", "timestamp without time zone"),
        ("timestamp with time zone", "time with time zone"),
    }
)
DATE_TYPES = frozenset(
    {
        "date", "timestamp with time zone", "timestamp without time zone", "time with time zone",
        "time without time zone", "interval",
    }
)  # fmt: skip
