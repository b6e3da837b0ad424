"""Authorisation, decided after the path is known and before anything of the request is read."""

from typing import Protocol

from starlette.requests import Request

from grnry.errors import NotAccessible
from grnry.http.context import current_identity
from grnry.http.threads import run_in_thread
from grnry.identity.access import Permission
from grnry.identity.model import GLOBAL


class KnownProjects(Protocol):
    """Which projects there are."""

    def recall(self, name: str) -> bool:
        """Whether it is known, without I/O, that there is such a project."""

    def exists(self, name: str) -> bool:
        """Whether there is one; may look."""


class AnyProject:
    """For an app that has no projects."""

    def recall(self, name: str) -> bool:
        return True

    def exists(self, name: str) -> bool:
        return True


async def authorise(request: Request, permission: Permission) -> None:
    """Refuse who may not do it. A project that is not there is a 403 for everybody.

    Roles may come from an outside issuer, which knows clients that are no projects here.
    """
    if not permission.needs_token:
        return
    caller = await current_identity(request)
    project: str = request.path_params.get("project_name", GLOBAL)
    permission.check(caller, project)
    if permission.is_of_project:
        projects: KnownProjects = request.app.state.projects
        if not projects.recall(project) and not await run_in_thread(projects.exists, project):
            raise NotAccessible
