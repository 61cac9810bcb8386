"""`python -m zuno_audit`: the command line."""

from __future__ import annotations

import sys

from zuno_audit.cli import main

if __name__ == "__main__":
    sys.exit(main())
