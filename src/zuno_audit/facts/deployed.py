"""The binaries as compose runs them: which services, with which environment."""

from __future__ import annotations

from posixpath import dirname
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

from zuno_audit.facts.dotenv import default_environment
from zuno_audit.languages import shell

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore
    from zuno_audit.facts.compose import Service


class Deployment(Struct, frozen=True):
    """A compose service that runs a binary, with the environment it gets (as far as the templates tell)."""

    service: Service
    environment: dict[str, str]
    template: dict[str, str]


def deployments(store: FactStore, binary: str) -> list[Deployment]:
    """The compose services, overlays left out, whose image holds this binary."""
    from zuno_audit.facts.images import image_packages  # compose, Dockerfiles: only where ports are asked for

    found = []
    for image, package in store.get(image_packages):
        if image.file.is_overlay or package != binary:
            continue
        template = dict(default_environment(store, dirname(image.file.path)))
        environment = dict(template) if image.service.env_files else {}
        for entry in image.service.environment:
            value = template.get(entry.name) if entry.value is None else shell.expand(entry.value, template)
            if value is not None:
                environment[entry.name] = value
        found.append(Deployment(image.service, environment, template))
    return found


def environments(store: FactStore, binary: str) -> list[dict[str, str]]:
    """The environments that a binary runs in: those of its compose services, else that of the nearest env file."""
    runs = [d.environment for d in deployments(store, binary)]
    return runs or [default_environment(store, binary)]


class Named(NamedTuple):
    """The texts that an expression may be, each with a binary; not `certain` if one run may see several."""

    texts: dict[str, str]
    certain: bool


def values(store: FactStore, templates: list[str], mains: frozenset[str]) -> Named:
    """The texts that templates stand for in the deployments of some binaries.

    A template whose variables nothing sets is left out.
    """
    found: dict[str, str] = {}
    certain = True
    for main in sorted(mains):
        environments = [d.environment for d in deployments(store, main)] or [{}]
        for environment in environments:
            expanded = (shell.expand(template, environment) for template in templates)
            texts = {text for text in expanded if text}
            certain = certain and len(texts) == 1
            for text in texts:
                found.setdefault(text, main)
    return Named(dict(sorted(found.items())), certain)
