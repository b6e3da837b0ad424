"""The rules about roles."""

import pytest

from grnry.errors import NotAccessible
from grnry.identity.access import PROJECT, Permission
from grnry.identity.model import (
    EDITOR,
    VIEWER,
    Identity,
    group_roles,
    has_role,
    identity_of_claims,
)

ADA = Identity("4711", "ada", roles={"global": frozenset({VIEWER}), "shop": frozenset({EDITOR})})


@pytest.mark.parametrize(
    ("client", "roles", "allowed"),
    [
        ("global", (VIEWER,), True),
        ("global", (EDITOR,), False),
        ("global", (EDITOR, VIEWER), True),
        ("shop", (EDITOR,), True),
        ("nowhere", (VIEWER,), False),
        ("global", (), False),
    ],
)
def test_any_of_the_roles_is_enough(client: str, roles: tuple[str, ...], allowed: bool) -> None:
    assert has_role(ADA, client, *roles) is allowed
    permission = Permission("some", "", client, roles)
    of_project = Permission("some", "", PROJECT, roles)
    for each, project in ((permission, "elsewhere"), (of_project, client)):
        if allowed:
            each.check(ADA, project)
        else:
            with pytest.raises(NotAccessible) as caught:
                each.check(ADA, project)
            assert caught.value.message == "Access forbidden due to missing roles."


def test_pairs_become_roles_by_client() -> None:
    pairs = [("b", "x"), ("a", "y"), ("b", "z"), ("b", "x")]
    assert group_roles(pairs) == {"a": {"y"}, "b": {"x", "z"}}


def test_an_author_is_named_as_well_as_the_token_allows() -> None:
    assert ADA.author == {"name": "ada", "email": ""}
    service = identity_of_claims({"sub": "1", "azp": "robot", "name": 5})
    assert (service.username, service.author) == ("robot", {"name": "robot", "email": ""})
