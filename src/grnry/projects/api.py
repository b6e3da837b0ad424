"""Projects and their members over HTTP."""

from typing import Annotated, Any

from fastapi import Path, Request

from grnry.database.address import Place
from grnry.http.conditions import IfMatch, IfNoneMatch, entity_tag
from grnry.http.context import CurrentIdentity
from grnry.http.links import Links
from grnry.http.openapi import errors
from grnry.http.paging import AnyPage, page_links
from grnry.http.routing import PROJECT_PREFIX, ProjectName, Router
from grnry.identity.access import CREATE_PROJECTS, OWN_PROJECT, SEE_PROJECT, SIGNED_IN
from grnry.projects.bodies import (
    MemberAnswer,
    MemberList,
    ProjectAnswer,
    ProjectBody,
    ProjectChangeBody,
    ProjectList,
    RolesBody,
    data_access,
    member_answer,
    project_answer,
)
from grnry.projects.members import Members
from grnry.projects.model import Project
from grnry.projects.service import Projects

MEMBERS = PROJECT_PREFIX + "/users"
MEMBER = MEMBERS + "/{user_id}"

UserId = Annotated[str, Path(alias="user_id", description="The user's id.")]


def projects_router(projects: Projects, address: Place, links: Links) -> Router:
    api = Router(tags=["projects"])

    def summary(request: Request, project: Project) -> dict[str, Any]:
        return project_answer(project, links.to(request, f"/projects/{project.name}"))

    def details(request: Request, project: Project) -> dict[str, Any]:
        return summary(request, project) | {"dataAccess": data_access(project.name, address)}

    def tag_of(project: Project) -> str:
        return entity_tag(project, address)

    @api.get(
        "/projects",
        permission=SIGNED_IN,
        response_model=ProjectList,
        response_model_exclude_unset=True,
    )
    def list_projects(request: Request, caller: CurrentIdentity, page: AnyPage) -> Any:
        """The caller's projects: those in which they have a role."""
        found = projects.page(caller, page.size, page.offset)
        has_next = page.offset + page.size < found.total
        return {
            "_links": page_links(links, request, page, has_next=has_next),
            "totalCount": found.total,
            "projects": [summary(request, each) for each in found.projects],
        }

    @api.post(
        "/projects",
        permission=CREATE_PROJECTS,
        response_model=ProjectAnswer,
        responses=errors(409),
    )
    def create_project(request: Request, caller: CurrentIdentity, body: ProjectBody) -> Any:
        """Make a project with its roles, its database schema and its database role.

        The caller is its `data_owner` and `editor`, from their next token on. Where the name that
        the display name leads to is taken, its last four characters are digits instead.
        """
        return details(request, projects.create(caller, body.draft()))

    @api.get(
        PROJECT_PREFIX,
        permission=SEE_PROJECT,
        response_model=ProjectAnswer,
    )
    def show_project(request: Request, project: ProjectName, known: IfNoneMatch) -> Any:
        """A project, and where its data is reached; never the password itself."""
        found = projects.find(project)
        return known.answer(tag_of(found), details(request, found))

    @api.put(
        PROJECT_PREFIX,
        permission=OWN_PROJECT,
        response_model=ProjectAnswer,
        responses=errors(412),
    )
    def change_project(
        request: Request,
        caller: CurrentIdentity,
        project: ProjectName,
        body: ProjectChangeBody,
        expected: IfMatch,
    ) -> Any:
        """Change a project's display name and description; its name stays."""
        changed = projects.change(
            caller, project, body.draft(project), lambda old: expected.check(tag_of(old))
        )
        return details(request, changed)

    return api


def members_router(members: Members, links: Links) -> Router:
    api = Router(tags=["members"], permission=OWN_PROJECT)

    @api.get(MEMBERS, response_model=MemberList)
    def list_members(request: Request, project: ProjectName, page: AnyPage) -> Any:
        """The users who have roles in a project, by username."""
        found = members.page(project, page.size, page.offset)
        has_next = page.offset + page.size < found.total
        return {
            "_links": page_links(links, request, page, has_next=has_next),
            "totalCount": found.total,
            "users": [member_answer(each) for each in found.members],
        }

    @api.post(MEMBER, response_model=MemberAnswer, responses=errors(404, 409))
    def add_member(project: ProjectName, user_id: UserId, body: RolesBody) -> Any:
        """Make a user a member; the roles are in their next token."""
        return member_answer(members.add(project, user_id, body.roles))

    @api.put(MEMBER, response_model=MemberAnswer, responses=errors(404))
    def set_roles(project: ProjectName, user_id: UserId, body: RolesBody) -> Any:
        """Give a user these roles and no others; an empty list ends the membership.

        The only `data_owner` of a project stays one.
        """
        return member_answer(members.set(project, user_id, body.roles))

    return api
