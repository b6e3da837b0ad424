"""Users over HTTP: searching them, and managing those of the built-in issuer.

`/users` is what clients of projects know. All below `/identity` is about the built-in issuer alone.
"""

from typing import Annotated, Any, ClassVar

from fastapi import Path, Query, Request
from pydantic import Field

from grnry.http.bodies import AnswerBody, Link, RequestBody
from grnry.http.conditions import IfMatch, IfNoneMatch, entity_tag
from grnry.http.context import CurrentIdentity
from grnry.http.links import Links
from grnry.http.openapi import errors
from grnry.http.paging import AnyPage, page_links
from grnry.http.routing import Router
from grnry.http.times import time_text
from grnry.identity.access import MANAGE_USERS, SIGNED_IN, VIEW_USERS
from grnry.identity.users import Account, AccountDraft, Change, Users

PREFIX = "/identity"
ONE = "/users/{user_id}"
ROLE = ONE + "/roles/{client}/{role}"

Search = Annotated[
    str, Query(description="Part of username, name or email, without regard to case.")
]
UserId = Annotated[str, Path(alias="user_id", description="The user's id.")]
ClientName = Annotated[str, Path(description="A project's name, or another client.")]
RoleName = Annotated[str, Path(description="The role's name.")]


class UserBody(RequestBody):
    """A new user."""

    username: str = Field("", description="Required. Unique, without regard to case.")
    password: str = Field("", description="Required. 8 characters at least.")
    name: str = Field("", description="Else the username.")
    email: str = ""


class UserChangeBody(RequestBody):
    """What is to be another; what is not given stays."""

    generated_fields: ClassVar[frozenset[str]] = frozenset(
        {"_links", "id", "username", "createdAt", "roles"}
    )

    name: str | None = None
    email: str | None = None
    enabled: bool | None = None


class PasswordBody(RequestBody):
    password: str = Field("", description="Required. 8 characters at least.")


class OwnPasswordBody(PasswordBody):
    current_password: str = Field("", description="Required.")


class UserAnswer(AnswerBody):
    """A user, as everybody sees them who may search users."""

    id: str
    username: str
    name: str
    email: str


class UserList(AnswerBody):
    links: dict[str, Link] = Field(alias="_links")
    total_count: int
    users: list[UserAnswer]


class AccountAnswer(UserAnswer):
    """A user of the built-in issuer."""

    enabled: bool
    created_at: str = Field(examples=["2021-09-24T08:38:50.848Z"])
    roles: dict[str, list[str]] | None = Field(
        None, description="The roles in each client; a project is a client. Not in lists."
    )


class AccountList(AnswerBody):
    links: dict[str, Link] = Field(alias="_links")
    total_count: int
    users: list[AccountAnswer]


_SPARSE: dict[str, Any] = {"response_model_exclude_unset": True}
_MANAGED: dict[str, Any] = {"permission": MANAGE_USERS, **_SPARSE}


def search_router(users: Users, links: Links) -> Router:
    api = Router(tags=["users"])

    @api.get("/users", permission=VIEW_USERS, response_model=UserList)
    def search_users(request: Request, page: AnyPage, search: Search = "") -> Any:
        """Users by any part of their name, to make them members of a project."""
        found = users.page(search, page.size, page.offset)
        has_next = page.offset + page.size < found.total
        return {
            "_links": page_links(links, request, page, has_next=has_next),
            "totalCount": found.total,
            "users": [_user(each) for each in found.accounts],
        }

    return api


def management_router(users: Users, links: Links) -> Router:
    api = Router(prefix=PREFIX, tags=["users of the built-in issuer"])

    @api.get("/users", response_model=AccountList, **_MANAGED)
    def list_users(request: Request, page: AnyPage, search: Search = "") -> Any:
        """Users of the built-in issuer, by username."""
        found = users.page(search, page.size, page.offset)
        has_next = page.offset + page.size < found.total
        return {
            "_links": page_links(links, request, page, has_next=has_next),
            "totalCount": found.total,
            "users": [_account(each) for each in found.accounts],
        }

    @api.post("/users", response_model=AccountAnswer, responses=errors(409, 429), **_MANAGED)
    def create_user(body: UserBody) -> Any:
        """Make a user, who has no roles yet."""
        draft = AccountDraft(body.username, body.password, body.name, body.email)
        return _account(users.create(draft), with_roles=True)

    @api.get(ONE, response_model=AccountAnswer, responses=errors(404), **_MANAGED)
    def show_user(user_id: UserId, known: IfNoneMatch) -> Any:
        """A user and all their roles."""
        account = users.find(user_id)
        return known.answer(entity_tag(account), _account(account, with_roles=True))

    @api.put(ONE, response_model=AccountAnswer, responses=errors(404, 412), **_MANAGED)
    def change_user(user_id: UserId, body: UserChangeBody, expected: IfMatch) -> Any:
        """Change name and email; disable or enable. A disabled user gets no more tokens."""
        change = Change(body.name, body.email, body.enabled)
        account = users.change(user_id, change, lambda old: expected.check(entity_tag(old)))
        return _account(account, with_roles=True)

    @api.delete(ONE, status_code=204, responses=errors(404, 412), permission=MANAGE_USERS)
    def delete_user(user_id: UserId, expected: IfMatch) -> None:
        """Delete a user with all their roles; what they made stays."""
        users.delete(user_id, lambda old: expected.check(entity_tag(old)))

    @api.put(
        ONE + "/password", status_code=204, responses=errors(404, 412, 429), permission=MANAGE_USERS
    )
    def set_password(user_id: UserId, body: PasswordBody) -> None:
        """Set a user's password; their refresh tokens end."""
        users.set_password(user_id, body.password)

    @api.put(ROLE, status_code=204, responses=errors(404), permission=MANAGE_USERS)
    def grant_role(user_id: UserId, client: ClientName, role: RoleName) -> None:
        """Give a user a role; it is in their next token."""
        users.grant(user_id, client, role)

    @api.delete(ROLE, status_code=204, responses=errors(404, 412), permission=MANAGE_USERS)
    def revoke_role(user_id: UserId, client: ClientName, role: RoleName) -> None:
        """Take a role from a user; it is in their present token until that ends."""
        users.revoke(user_id, client, role)

    @api.put("/me/password", status_code=204, responses=errors(404, 429), permission=SIGNED_IN)
    def change_own_password(caller: CurrentIdentity, body: OwnPasswordBody) -> None:
        """Change one's own password; one's refresh tokens end."""
        users.change_own_password(caller.subject, body.current_password, body.password)

    return api


def _user(account: Account) -> dict[str, Any]:
    return {
        "id": account.id,
        "username": account.username,
        "name": account.name,
        "email": account.email,
    }


def _account(account: Account, *, with_roles: bool = False) -> dict[str, Any]:
    answer = _user(account) | {
        "enabled": account.enabled,
        "createdAt": time_text(account.created_at),
    }
    if with_roles:
        answer["roles"] = {client: sorted(roles) for client, roles in account.roles.items()}
    return answer
