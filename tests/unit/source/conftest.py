"""Trees to open: an empty folder, and an empty git work tree."""

from __future__ import annotations

from pathlib import Path

import pytest
from work_tree import WorkTree


@pytest.fixture
def tree(tmp_path: Path) -> WorkTree:
    """An empty folder without git, below a folder that is not a work tree either."""
    root = tmp_path / "tree"
    root.mkdir()
    return WorkTree(root)


@pytest.fixture
def repo(tree: WorkTree) -> WorkTree:
    """An empty git work tree."""
    return tree.init()
