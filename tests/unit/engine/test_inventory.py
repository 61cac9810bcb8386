"""The inventory is the same however many processes take it."""

from __future__ import annotations

from pathlib import Path

import pytest

from zuno_audit import inventory
from zuno_audit.errors import SourceError

FIXTURE = Path(__file__).parents[2] / "fixtures" / "repos" / "zuno_mini"


def test_two_processes_take_the_same_inventory_as_one() -> None:
    alone = inventory(FIXTURE)
    shared = inventory(FIXTURE, jobs=2)
    assert list(shared.items()) == list(alone.items())
    lists = ("grpc_servers", "grpc_clients", "log_decoders", "env_vars", "metrics")
    assert all(alone[name] for name in lists)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="nowhere"):
        inventory(tmp_path / "nowhere", jobs=2)
