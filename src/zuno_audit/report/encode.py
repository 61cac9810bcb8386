"""JSON text: UTF-8 as it stands, two spaces, one line feed at the end, keys in the order given."""

from __future__ import annotations

from typing import Any


def to_json_text(value: Any) -> str:
    """`value` as indented JSON. Lone surrogates (from broken file names) become `\\udcxx` escapes."""
    import msgspec

    try:
        data = msgspec.json.format(msgspec.json.encode(value), indent=2)
    except UnicodeEncodeError:
        return _with_surrogates(value)
    return data.decode("utf-8") + "\n"


def _with_surrogates(value: Any) -> str:
    import json

    text = json.dumps(value, ensure_ascii=False, indent=2)
    return text.encode("utf-8", "backslashreplace").decode("utf-8") + "\n"
