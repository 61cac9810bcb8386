"""Finds and reads the configuration of the audited repository.

The file belongs to whoever wrote the repository, so it is bounded and can only name things. A complaint is
a ConfigError with file, line and cure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from zuno_audit.errors import ConfigError
from zuno_audit.model.finding import Diagnostic, Level
from zuno_audit.rules.document import Document, line_of
from zuno_audit.rules.shape import ShapeError, check_shape, complaining
from zuno_audit.rules.text import argument_text
from zuno_audit.source.repository import Repository

NAMES = ("zuno-audit.yml", ".zuno-audit.yml", ".github/zuno-audit.yml")
MISNAMED = ("zuno-audit.yaml", ".zuno-audit.yaml", ".github/zuno-audit.yaml")
MAX_BYTES = 256 * 1024  # a long configuration has a few hundred lines
MAX_VALUE = 2000  # characters of a parameter, lists joined
OFF = "off"
_HINT = "`zuno-audit schema config` prints the schema, `zuno-audit init` writes an example."


class Config(Struct, frozen=True):
    """The configuration as it is used; `Config()` is the one of a repository that has none.

    `levels` maps rules to the level of their findings, `off` rules to the reason why they are not run.
    `text` is the file's own text, for line numbers.
    """

    path: str = ""
    profile: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    exclude: tuple[str, ...] = ()
    fail_on: str = ""
    levels: dict[str, Level] = field(default_factory=dict)
    off: dict[str, str] = field(default_factory=dict)
    evidence: str = ""
    checklist: str = ""
    rule_folders: tuple[str, ...] = ()
    semgrep: bool = False
    text: str = ""

    def line(self, *where: str | int) -> int:
        """The line of a key path."""
        return line_of(self.text, self.path, where) if self.text else 1

    def wrong(self, message: str, *where: str | int, hint: str = "") -> ConfigError:
        """A complaint about a key path."""
        return ConfigError(message, path=self.path, line=self.line(*where), hint=hint)


def find_config(repository: Repository) -> tuple[Config, tuple[Diagnostic, ...]]:
    """The configuration at the root of the repository, and what a person should know of others.

    Raises ConfigError for a file that cannot be read or is wrong.
    """
    present = [name for name in NAMES if name in repository]
    notes = [
        _note(name, f"not read: {present[0]} is the configuration, and there is one only")
        for name in present[1:]
    ]
    notes += [
        _note(name, "not read: the configuration's name ends in .yml")
        for name in MISNAMED
        if name in repository
    ]
    if not present:
        return Config(), tuple(notes)
    data = repository.read(present[0])
    if data is None:
        raise ConfigError("cannot be read", path=present[0], hint="Mend it, or audit with --no-config.")
    return read_config(data, present[0]), tuple(notes)


def _note(path: str, message: str) -> Diagnostic:
    return Diagnostic(Level.WARNING, path, 1, message)


def load_config(path: Path) -> Config:
    """The configuration in a file that the user named. Raises ConfigError."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        hint = "`zuno-audit init` writes a configuration."
        raise ConfigError(f"cannot be read: {error.strerror}", path=str(path), hint=hint) from error
    return read_config(data, str(path))


def read_config(data: bytes, path: str) -> Config:
    """The configuration in these bytes. Raises ConfigError (path, line) for whatever is wrong with them."""
    if len(data) > MAX_BYTES:
        raise ConfigError(f"longer than {MAX_BYTES // 1024} KiB", path=path)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError("not UTF-8 text", path=path, line=line) from None
    document = Document(path, text)
    content = document.content()
    with complaining(document, ConfigError):
        _check(content)
    return _config(content, path, text)


def _check(content: Any) -> None:
    from zuno_audit.config.spec import ConfigSpec

    if not isinstance(content, dict):
        raise ShapeError("a mapping is expected here, with `version: 1` first", hint=_HINT)
    if "version" not in content:
        raise ShapeError("key 'version' is missing", hint="Write `version: 1`.")
    if content["version"] != 1:
        raise ShapeError("this version of zuno-audit reads version 1 only", "version", hint=_HINT)
    try:
        check_shape(content, ConfigSpec)
    except ShapeError as wrong:
        raise ShapeError(str(wrong), *wrong.where, hint=wrong.hint or _HINT) from None
    for rule, setting in content.get("rules", {}).items():
        if setting["level"] == OFF and not setting.get("reason", "").strip():
            message = "a rule that is off needs a reason"
            raise ShapeError(message, "rules", rule, hint="Write `reason:` beside `level: off`.")
    for name, value in content.get("parameters", {}).items():
        _check_text(argument_text(value), "parameters", name)
    for index, pattern in enumerate(content.get("exclude", ())):
        _check_text(pattern, "exclude", index)
    for index, folder in enumerate(content.get("rule-folders", ())):
        if folder.startswith("/") or ".." in folder.split("/") or "\\" in folder:
            message = "a folder inside of the repository is expected here"
            raise ShapeError(message, "rule-folders", index)


def _check_text(text: str, *where: str | int) -> None:
    """What may become a pattern is bounded, and `**` is a segment of its own: then matching is quick."""
    if len(text) > MAX_VALUE:
        raise ShapeError(f"longer than {MAX_VALUE} characters", *where)
    for segment in text.replace(",", "/").split("/"):
        if "**" in segment and segment.strip() != "**":
            message = f"`**` stands beside other text in {segment.strip()!r}"
            raise ShapeError(message, *where, hint="Write `**` as a segment of its own: `a/**/b`.")


def _config(content: dict[str, Any], path: str, text: str) -> Config:
    rules = content.get("rules", {})
    return Config(
        path=path,
        profile=content.get("profile", ""),
        parameters={name: argument_text(value) for name, value in content.get("parameters", {}).items()},
        exclude=tuple(content.get("exclude", ())),
        fail_on=content.get("fail-on", ""),
        levels={rule: Level(s["level"]) for rule, s in rules.items() if s["level"] != OFF},
        off={rule: s["reason"].strip() for rule, s in rules.items() if s["level"] == OFF},
        evidence=content.get("evidence", ""),
        checklist=content.get("checklist", ""),
        rule_folders=tuple(content.get("rule-folders", ())),
        semgrep=content.get("semgrep", False),
        text=text,
    )


def check_names(config: Config, parameters: Collection[str], rules: Collection[str], profile: str) -> None:
    """Raises ConfigError for a parameter that the profile does not have and for an unknown rule."""
    for name in config.parameters:
        if name not in parameters:
            message = f"profile {profile!r} has no parameter {name!r}"
            raise config.wrong(message, "parameters", name, hint=_known(name, parameters, "parameters"))
    for rule in (*config.levels, *config.off):
        if rule not in rules:
            raise config.wrong(f"there is no rule {rule!r}", "rules", rule, hint=_known(rule, rules, "rules"))


def _known(name: str, known: Iterable[str], what: str) -> str:
    from difflib import get_close_matches

    names = sorted(known)
    close = get_close_matches(name, names, 1)
    if close:
        return f"Did you mean {close[0]!r}?"
    if what == "rules":
        return "`zuno-audit rules list` lists the rules."
    return f"There are no {what}." if not names else f"Known {what}: {', '.join(names)}."
