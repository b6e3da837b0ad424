"""The built-in issuer's endpoints, as the machine-readable contract describes them."""

from typing import Any

Schema = dict[str, Any]

_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string"}, "error_description": {"type": "string"}},
}


def _json(description: str, schema: Schema, example: Schema) -> Schema:
    content = {"application/json": {"schema": schema, "example": example}}
    return {"description": description, "content": content}


def _refused(description: str, code: str) -> Schema:
    return _json(description, {"anyOf": [_ERROR, _OTHER_ERROR]}, {"error": code})


# What the server refuses before the issuer sees it has the shape of all other errors.
_OTHER_ERROR = {"$ref": "#/components/schemas/Error"}
_NO_REALM = _refused("There is no such realm.", "Realm does not exist")
_TEXT = {"type": "string"}
_SECONDS = {"type": "integer", "minimum": 0}

TOKEN: Schema = {
    "tags": ["tokens"],
    "summary": "Get a token",
    "description": "By user name and password, by a client's secret, or by a refresh token. "
    "Client id and secret may come as `Authorization: Basic` as well.",
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "required": ["grant_type"],
                    "properties": {
                        "grant_type": {
                            "type": "string",
                            "enum": ["password", "client_credentials", "refresh_token"],
                        },
                        "client_id": _TEXT,
                        "client_secret": _TEXT,
                        "username": _TEXT,
                        "password": _TEXT,
                        "refresh_token": _TEXT,
                    },
                },
                "example": {
                    "grant_type": "password",
                    "client_id": "grnry",
                    "username": "admin",
                    "password": "secret",
                },
            }
        },
    },
    "responses": {
        "200": _json(
            "The token.",
            {
                "type": "object",
                "required": ["access_token", "token_type", "expires_in"],
                "properties": {
                    "access_token": _TEXT,
                    "token_type": {"const": "Bearer"},
                    "expires_in": _SECONDS,
                    "refresh_token": _TEXT,
                    "refresh_expires_in": _SECONDS,
                },
            },
            {"access_token": "eyJhbGciOiJSUzI1NiJ9.e30.c2ln", "token_type": "Bearer",
             "expires_in": 300},
        ),
        "400": _refused("The request is wrong.", "invalid_request"),
        "401": _refused("User, password or client are not right.", "invalid_grant"),
        "404": _NO_REALM,
        "429": _refused("Too many failed logins.", "temporarily_unavailable"),
    },
}  # fmt: skip


def _ending(summary: str, description: str, field: str, status: str) -> Schema:
    properties = dict.fromkeys((field, "client_id", "client_secret"), _TEXT)
    form = {
        "schema": {"type": "object", "required": [field], "properties": properties},
        "example": {field: "eyJhbGciOiJSUzI1NiJ9.e30.c2ln", "client_id": "grnry"},
    }
    return {
        "tags": ["tokens"],
        "summary": summary,
        "description": description,
        "requestBody": {
            "required": True,
            "content": {"application/x-www-form-urlencoded": form},
        },
        "responses": {
            status: {"description": "Its session has ended."},
            "400": _refused("The request is wrong.", "invalid_request"),
            "401": _refused("The client is not right.", "invalid_client"),
            "404": _NO_REALM,
        },
    }


REVOCATION = _ending("Revoke a token", "Ends the session of a refresh token.", "token", "200")
LOGOUT = _ending("Log out", "Ends a session by its refresh token.", "refresh_token", "204")

CERTIFICATES: Schema = {
    "tags": ["tokens"],
    "summary": "Public keys",
    "description": "The keys that tokens are verified with, as a JSON Web Key Set.",
    "responses": {
        "200": _json(
            "The keys.",
            {
                "type": "object",
                "required": ["keys"],
                "properties": {"keys": {"type": "array", "items": {"type": "object"}}},
            },
            {"keys": [{"kty": "RSA", "use": "sig", "kid": "1", "n": "AQ", "e": "AQAB"}]},
        ),
        "404": _NO_REALM,
    },
}  # fmt: skip

DISCOVERY: Schema = {
    "tags": ["tokens"],
    "summary": "Discovery",
    "description": "Where everything of the issuer is.",
    "responses": {
        "200": _json(
            "The discovery document.",
            {
                "type": "object",
                "required": ["issuer", "token_endpoint", "jwks_uri"],
                "properties": {"issuer": _TEXT, "token_endpoint": _TEXT, "jwks_uri": _TEXT},
            },
            {
                "issuer": "http://127.0.0.1:8080/auth/realms/grnry",
                "token_endpoint": "http://127.0.0.1:8080/auth/realms/grnry/protocol/openid-connect/token",
                "jwks_uri": "http://127.0.0.1:8080/auth/realms/grnry/protocol/openid-connect/certs",
            },
        ),
        "404": _NO_REALM,
    },
}
