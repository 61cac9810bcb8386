"""Tiltfiles: which files they load.

Table `tilt_load`: one row per file that a Tiltfile names as something to load. A Tiltfile is Starlark, read
here as Python without being run; names of files that are computed are unknown.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from posixpath import basename, dirname, join, normpath
from typing import TYPE_CHECKING

from zuno_audit.model.entity import NO, UNKNOWN, YES, Answer, Entity, Problem, Table
from zuno_audit.model.location import at_line

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore

# Functions of the Tiltfile API (https://docs.tilt.dev/api.html) and where they take files from.
_FIRST = {
    "docker_compose", "helm", "include", "k8s_yaml", "kustomize", "load", "load_dynamic", "read_file",
    "read_json", "read_yaml", "read_yaml_stream",
}  # fmt: skip
_BUILDS = {"docker_build", "docker_build_with_restart", "custom_build", "custom_build_with_restart"}
_SCRIPT = re.compile(r"^(?:(?:ba|z)?sh\s+)?([\w./\\-]+\.(?:sh|bat|cmd|ps1))(?:\s|$)")
MAX_LINES = 20_000


def tilt_load_table(store: FactStore) -> Table:
    """Table `tilt_load`: file, how (the function that loads it), exists, tracked."""
    repository = store.repository
    paths = [
        p for p in repository.files if basename(p) == "Tiltfile" or p.endswith((".tiltfile", ".Tiltfile"))
    ]
    rows: list[Entity] = []
    problems: list[Problem] = []
    for path in paths:
        text = repository.text(path) or ""
        try:
            tree = ast.parse(text if text.count("\n") < MAX_LINES else "")
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            problems.append(Problem(path, getattr(error, "lineno", 1) or 1, "the Tiltfile does not parse"))
            continue
        names = _strings(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                rows += _rows(store, path, node, names)
    rows.sort(key=lambda r: (r.location, str(r.fields["file"].value)))
    return Table("tilt_load", tuple(rows), tuple(paths), tuple(problems))


def _strings(tree: ast.AST) -> dict[str, list[str]]:
    """Texts that are assigned to names."""
    found: dict[str, list[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            for target in node.targets:
                if isinstance(target, ast.Name) and isinstance(node.value.value, str):
                    found.setdefault(target.id, []).append(node.value.value)
    return found


def _rows(store: FactStore, path: str, call: ast.Call, names: dict[str, list[str]]) -> Iterator[Entity]:
    function = call.func.id if isinstance(call.func, ast.Name) else ""
    keywords = {k.arg: k.value for k in call.keywords if k.arg}
    if function in _FIRST and call.args:
        for name in _texts(call.args[0], names):
            yield from _row(store, path, call, function, name)
    elif function in _BUILDS:
        context = [
            *_texts(keywords.get("context") or (call.args[1] if len(call.args) > 1 else None), names),
            ".",
        ][0]
        files = _texts(keywords.get("dockerfile"), names)
        if not files and "dockerfile_contents" not in keywords and function.startswith("docker_build"):
            files = [join(context or ".", "Dockerfile")]
        for name in files:
            yield from _row(store, path, call, function, name)
    elif function == "local_resource":
        for value in (
            *call.args[1:2],
            keywords.get("cmd"),
            keywords.get("serve_cmd"),
            keywords.get("cmd_bat"),
        ):
            for text in _texts(value, names):
                script = _SCRIPT.match(text.strip())
                if script:
                    yield from _row(store, path, call, function, script.group(1))
        for name in _texts(keywords.get("deps"), names):
            yield from _row(store, path, call, "deps", name)


def _texts(node: ast.AST | None, names: dict[str, list[str]]) -> list[str]:
    """The constant texts of an expression: a literal, a list of them, or a name that holds one."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    if isinstance(node, ast.List | ast.Tuple):
        return [t for item in node.elts for t in _texts(item, names)]
    if isinstance(node, ast.Name):
        return names.get(node.id, [])
    return []


def _row(store: FactStore, path: str, call: ast.Call, function: str, name: str) -> Iterator[Entity]:
    if "://" in name or name.startswith(("@", "~", "/")) or re.match(r"[A-Za-z]:", name):
        return
    file = normpath(join(dirname(path), name.replace("\\", "/")))
    if file.startswith("..") or file == ".":
        return
    repository = store.repository
    place = at_line(path, call.lineno)
    is_folder = repository.is_directory(file)
    if function == "load" and file not in repository:
        exists = Answer(NO, f"{file} does not exist", (place,))
    elif re.search(r"[*?{]", file):
        exists = Answer(UNKNOWN, "the name is a pattern", (place,))
    elif file in repository or is_folder:
        exists = Answer(YES, f"{file} is there", (place,))
    else:
        exists = Answer(NO, f"{file} is not in the repository", (place,))
    tracked = exists
    if exists.value == YES and not is_folder and not repository.is_tracked(file):
        tracked = Answer(NO, f"{file} is not tracked by git", (place,))
    fields = {"file": Answer(file), "how": Answer(function), "exists": exists, "tracked": tracked}
    yield Entity("tilt_load", place, fields)
