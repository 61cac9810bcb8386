"""Profiles: a checklist (and with it the rules) together with the parameters that it is read with.

`rules/profiles/<name>.yaml` names the files of the checklist and gives every parameter a default. In the
checklist `{{ name }}` stands for its value. `recognised_by` says by which paths a repository is known to be
one that the profile was written for.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from zuno_audit.errors import UsageError
from zuno_audit.rules.document import Library
from zuno_audit.rules.shape import ShapeError, check_shape, complaining
from zuno_audit.rules.text import argument_text

FOLDER = "profiles"
DEFAULT = "zuno"

Parameters = tuple[tuple[str, str], ...]


class Profile(Struct, frozen=True):
    """A profile as it is used. `checklist` holds paths below `rules/checklist`, in checklist order."""

    name: str
    title: str
    description: str
    checklist: tuple[str, ...]
    checklist_name: str
    checklist_version: str
    parameters: Parameters = ()
    recognised_by: tuple[str, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        """The files of the checklist, relative to `rules/`."""
        return tuple(f"checklist/{name}" for name in self.checklist)

    def with_parameters(self, values: Mapping[str, str]) -> Parameters:
        """The parameters with some replaced. The caller has checked that they exist."""
        return tuple((name, values.get(name, default)) for name, default in self.parameters)


def profile_names(root: Path) -> tuple[str, ...]:
    """The profiles below `root` (the folder `rules`), sorted."""
    folder = root.joinpath(FOLDER)
    if not folder.is_dir():
        return ()
    names = (entry.name for entry in folder.iterdir() if entry.name.endswith(".yaml"))
    return tuple(sorted(name.removesuffix(".yaml") for name in names))


def load_profile(library: Library, name: str) -> Profile:
    """The profile of this name.

    Raises UsageError when there is none and RuleError when its file is malformed.
    """
    names = profile_names(library.root)
    if name not in names:
        raise UsageError(f"There is no profile {name!r}.", hint=f"Profiles: {', '.join(names)}.")
    document = library.read(f"{FOLDER}/{name}.yaml")
    data = document.content()
    with complaining(document):
        if document.checked is None:
            from zuno_audit.rules.profile_spec import ProfileSpec

            check_shape(data, ProfileSpec)
            if data["name"] != name:
                raise ShapeError(f"the file name must be the name: {data['name']}.yaml", "name")
    checklist = data["checklist"]
    return Profile(
        name=name,
        title=data["title"],
        description=data["description"].strip(),
        checklist=tuple(checklist["files"]),
        checklist_name=checklist["name"],
        checklist_version=checklist["version"],
        parameters=tuple((key, argument_text(value)) for key, value in data.get("parameters", {}).items()),
        recognised_by=tuple(data.get("recognised_by", ())),
    )
