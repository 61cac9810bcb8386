"""`python -m zuno_audit`: the command line."""

from __future__ import annotations

from zuno_audit.cli import run

if __name__ == "__main__":
    run()
