"""Projects and members as they are sent and answered."""

from typing import Any, ClassVar

from pydantic import Field

from grnry.database.address import Place
from grnry.errors import BadInput
from grnry.http.bodies import AnswerBody, Link, RequestBody, SelfLink
from grnry.http.times import time_text
from grnry.projects.database_space import role_of
from grnry.projects.model import Draft, Member, Project

_GENERATED = frozenset(
    {"_links", "createdAt", "createdBy", "dataAccess", "modifiedAt", "modifiedBy"}
)


class ProjectBody(RequestBody):
    """What makes a project."""

    generated_fields: ClassVar[frozenset[str]] = _GENERATED | {"name"}

    display_name: str = Field(
        "", description="Required. The technical name is derived from it.", examples=["Web shop"]
    )
    description: str = ""

    def draft(self) -> Draft:
        return Draft(self.display_name, self.description)


class ProjectChangeBody(RequestBody):
    """What a project is called."""

    generated_fields: ClassVar[frozenset[str]] = _GENERATED

    name: str | None = Field(None, description="Cannot change.")
    display_name: str = Field("", description="Required.", examples=["Web shop"])
    description: str = ""

    def draft(self, name: str) -> Draft:
        if self.name not in (None, "", name):
            raise BadInput.of("name", f"must be empty or '{name}' but is '{self.name}'")
        return Draft(self.display_name, self.description)


class RolesBody(RequestBody):
    """The roles of a member."""

    roles: list[str] = Field(
        description="Any of viewer, editor, producer, data_owner; or an event type's `consumer`.",
        examples=[["viewer", "producer"]],
    )


class Author(AnswerBody):
    name: str
    email: str


class DataAccess(AnswerBody):
    """Where the project's data is, and which secret holds the credentials."""

    host: str
    port: int
    ssl: bool
    database: str
    schema_: str = Field(alias="schema")
    secret_name: str
    secret_key_user: str
    secret_key_password: str


class ProjectAnswer(AnswerBody):
    """A project."""

    name: str
    display_name: str
    description: str
    created_at: str = Field(examples=["2021-09-24T08:38:50.848Z"])
    created_by: Author
    modified_at: str
    modified_by: Author
    data_access: DataAccess | None = Field(None, description="Not in lists.")
    links: SelfLink = Field(alias="_links")


class ProjectList(AnswerBody):
    links: dict[str, Link] = Field(alias="_links")
    total_count: int
    projects: list[ProjectAnswer]


class MemberAnswer(AnswerBody):
    """A user with roles in the project."""

    id: str
    username: str
    name: str
    email: str
    roles: list[str]


class MemberList(AnswerBody):
    links: dict[str, Link] = Field(alias="_links")
    total_count: int
    users: list[MemberAnswer]


def project_answer(project: Project, url: str) -> dict[str, Any]:
    return {
        "name": project.name,
        "displayName": project.display_name,
        "description": project.description,
        "createdAt": time_text(project.created_at),
        "createdBy": project.created_by,
        "modifiedAt": time_text(project.modified_at),
        "modifiedBy": project.modified_by,
        "_links": {"self": {"href": url}},
    }


def data_access(project: str, address: Place) -> dict[str, Any]:
    return {
        "host": address.host,
        "port": address.port,
        "ssl": address.ssl,
        "database": address.database,
        "schema": project,
        "secretName": role_of(project),
        "secretKeyUser": "username",
        "secretKeyPassword": "password",
    }


def member_answer(member: Member) -> dict[str, Any]:
    return {
        "id": member.id,
        "username": member.username,
        "name": member.name,
        "email": member.email,
        "roles": list(member.roles),
    }
