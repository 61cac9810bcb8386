"""The Go grammar and a parser for it, each loaded once."""

from __future__ import annotations

from functools import lru_cache
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tree_sitter import Language, Parser, Tree


@lru_cache(maxsize=1)
def language() -> Language:
    """The grammar of Go."""
    from tree_sitter import Language

    return Language(_binding().language())


@lru_cache(maxsize=1)
def parser() -> Parser:
    """A parser of Go source. It keeps no state between files."""
    from tree_sitter import Parser

    return Parser(language())


def parse_ranges(data: bytes, ranges: list[tuple[int, int]]) -> Tree:
    """The tree of some byte ranges of a file, with the offsets of the file; points mean nothing in it."""
    from tree_sitter import Parser, Range

    return Parser(language(), included_ranges=[Range((0, a), (0, b), a, b) for a, b in ranges]).parse(data)


def _binding() -> Any:
    """The extension module inside `tree_sitter_go`.

    The package itself also imports importlib.resources, and with it tempfile, shutil and the compressors, for
    queries that nobody asks for here; that costs as much as parsing fifty files.
    """
    package = PathFinder.find_spec("tree_sitter_go")
    spec = (
        PathFinder.find_spec("_binding", package.submodule_search_locations) if package is not None else None
    )
    if spec is None or spec.loader is None:
        import tree_sitter_go

        return tree_sitter_go
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
