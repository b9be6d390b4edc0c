from __future__ import annotations

from typing import Any

import pytest

from skills.messages.base import API
from tests.hub.conftest import Hall

PUBLIC = {
    ("/healthz", "get"),
    ("/readyz", "get"),
    ("/login/issuer", "get"),
    ("/login/callback", "get"),
    (f"{API}/robots", "post"),
    (f"{API}/sessions", "post"),
    (f"{API}/tuf/roots/{{digest}}", "get"),
}


@pytest.fixture
def document(hall: Hall) -> dict[str, Any]:
    found: dict[str, Any] = hall.client.get("/openapi.json").json()
    return found


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def test_every_route_says_what_it_does_and_under_which_noun(document: dict[str, Any]) -> None:
    found = operations(document)
    assert len(found) >= 23
    for path, method, operation in found:
        assert operation.get("description"), (path, method)
        assert len(operation["tags"]) == 1, (path, method)


def test_every_refusal_has_the_one_shape_and_an_example(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        for status, answer in operation["responses"].items():
            if int(status) < 400 or int(status) == 500:
                continue
            content = answer["content"]["application/json"]
            assert content["schema"]["$ref"].endswith("/ErrorBody"), (path, method, status)
            assert content["example"]["error"]["message"], (path, method, status)


def test_the_one_shape_is_described(document: dict[str, Any]) -> None:
    assert set(document["components"]["schemas"]["ErrorBody"]["properties"]) == {"error"}


def test_every_route_with_a_login_declares_it_and_its_refusal(document: dict[str, Any]) -> None:
    assert set(document["components"]["securitySchemes"]) == {"token", "proof", "session"}
    for path, method, operation in operations(document):
        if (path, method) not in PUBLIC:
            assert operation["security"], (path, method)
            assert "401" in operation["responses"], (path, method)


def test_every_header_of_a_robots_signature_is_declared(document: dict[str, Any]) -> None:
    assert document["components"]["securitySchemes"]["proof"]["name"] == "Signature-Input"
    signed = [each for _, _, each in operations(document) if {"proof": []} in each.get("security", [])]
    assert len(signed) >= 20
    for operation in signed:
        headers = {each["name"] for each in operation["parameters"] if each["in"] == "header"}
        assert "Signature" in headers, operation["operationId"]
        assert ("Content-Digest" in headers) == ("requestBody" in operation), operation["operationId"]


def test_every_json_body_has_an_example(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        content = operation.get("requestBody", {}).get("content", {})
        if "application/json" in content:
            assert content["application/json"].get("examples"), (path, method)


def test_files_are_declared_as_bytes(document: dict[str, Any]) -> None:
    for path in (f"{API}/skills", f"{API}/rounds/{{round_id}}/deltas"):
        (schema,) = document["paths"][path]["post"]["requestBody"]["content"].values()
        assert schema["schema"] == {"type": "string", "format": "binary"}


def test_examples_are_accepted_by_the_hub_itself(hall: Hall, document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        for example in content.get("examples", {}).values():
            url = path.replace("{campaign_id}", "x").replace("{name}", "x").replace("{channel}", "stable")
            response = hall.client.request(method, url, json=example["value"], headers=hall.operator)
            assert response.status_code != 422, (path, response.text)


def test_every_route_that_takes_a_body_says_it_may_be_too_large_or_wrong(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        if "requestBody" in operation:
            assert {"413", "422"} <= set(operation["responses"]), (path, method)
