"""Evidence folders for tests, filled with outputs that real tools made on our fixture repositories."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zuno_audit.api import Report

Judge = Callable[..., Report]  # audits the given phases with the evidence folder of the test
SAMPLES = Path(__file__).resolve().parents[1] / "fixtures" / "evidence"


def put(folder: Path, sample: str, name: str = "", **meta: Any) -> Path:
    """Copies a sample into the folder, with a sidecar when anything is said of the run."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / (name or sample)
    shutil.copyfile(SAMPLES / sample, target)
    if meta:
        describe(target, **meta)
    return target


def describe(target: Path, **meta: Any) -> None:
    """Writes the sidecar of an evidence file."""
    target.with_name(target.name + ".meta.json").write_text(json.dumps(meta), "utf-8")
