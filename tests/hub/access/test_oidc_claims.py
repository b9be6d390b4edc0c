from __future__ import annotations

from typing import Any

import pytest

from hub.access.oidc_claims import Person, person_of
from hub.settings import Settings
from skills.errors import ForbiddenError

ISSUER = "https://login.example"
CLAIMS = {"sub": "7f3c", "preferred_username": "ada", "groups": ["welders"]}


def settings(**changes: Any) -> Settings:
    given = {
        "oidc_issuer": ISSUER,
        "oidc_client_id": "zunft",
        "oidc_roles": {"students": "researcher", "owners": "admin", "welders": "operator"},
        "oidc_organisations": {"north": "North Works", "south": "South Works"},
    }
    return Settings.model_validate({**given, **changes})


def person(claims: dict[str, Any] | None = None, **changes: Any) -> Person:
    return person_of({**CLAIMS, **(claims or {})}, settings(**changes))


def refusal(claims: dict[str, Any] | None = None, **changes: Any) -> str:
    with pytest.raises(ForbiddenError) as caught:
        person(claims, **changes)
    return caught.value.code


def test_claims_become_a_user() -> None:
    assert person() == Person(ISSUER, "7f3c", "ada", "operator", "guild")


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        (["welders"], "operator"),
        (["students", "welders"], "operator"),
        (["owners", "students", "cooks"], "admin"),
        ("students", "researcher"),
        (["students", 7, None], "researcher"),
    ],
)
def test_the_highest_role_of_all_groups_counts(groups: object, role: str) -> None:
    assert person({"groups": groups}).role == role


@pytest.mark.parametrize(
    "groups", [[], None, 7, {"owners": True}, [["owners"]], ["OWNERS"], "owners welders"]
)
def test_what_is_no_list_of_known_groups_gives_no_role(groups: object) -> None:
    assert refusal({"groups": groups}) == "not_invited"


def test_who_is_in_no_group_has_the_default_role_and_who_is_in_one_no_lower() -> None:
    assert person({"groups": []}, oidc_default_role="researcher").role == "researcher"
    assert person({"groups": ["students"]}, oidc_default_role="operator").role == "operator"


@pytest.mark.parametrize(
    ("claim", "claims"),
    [
        ("realm_access.roles", {"realm_access": {"roles": ["welders"]}}),
        ("https://guild.example/roles", {"https://guild.example/roles": ["welders"]}),
    ],
)
def test_groups_may_lie_deeper_or_under_an_address(claim: str, claims: dict[str, Any]) -> None:
    assert person(claims, oidc_groups_claim=claim).role == "operator"
    assert refusal({}, oidc_groups_claim=claim) == "not_invited"


@pytest.mark.parametrize(
    ("groups", "organisation"),
    [
        (["welders"], "guild"),
        (["welders", "south"], "South Works"),
        (["welders", "south", "north"], "North Works"),
    ],
)
def test_the_first_organisation_of_the_setting_counts(groups: list[str], organisation: str) -> None:
    assert person({"groups": groups}).organisation == organisation


def test_who_belongs_to_no_organisation_is_refused_where_the_setting_says_so() -> None:
    assert refusal(oidc_default_organisation="") == "not_invited"
    assert (
        person({"groups": ["welders", "north"]}, oidc_default_organisation="").organisation == "North Works"
    )


@pytest.mark.parametrize(
    ("claims", "welcome"),
    [
        ({"email": "ada@North.example", "email_verified": True}, True),
        ({"email": "ada@north.example", "email_verified": False}, False),
        ({"email": "ada@north.example", "email_verified": "true"}, False),
        ({"email": "ada@north.example"}, False),
        ({"email": "ada@evil-north.example", "email_verified": True}, False),
        ({"email": "north.example", "email_verified": True}, False),
        ({"email": "ada@north.example@evil.example", "email_verified": True}, False),
        ({"email": ["ada@north.example"], "email_verified": True}, False),
        ({}, False),
    ],
)
def test_only_verified_addresses_of_the_domains_are_welcome(claims: dict[str, Any], welcome: bool) -> None:
    if welcome:
        assert person(claims, oidc_email_domains=["north.example"]).name == "ada"
    else:
        assert refusal(claims, oidc_email_domains=["north.example"]) == "not_invited"


@pytest.mark.parametrize(
    "name", ["ada", "ada.l", "ada@north.example", "Ada Lovelace", "7", "a+b_c-d", "x" * 64]
)
def test_names_that_can_be_used(name: str) -> None:
    assert person({"preferred_username": name}).name == name


@pytest.mark.parametrize(
    "name", ["", " ada", "@ada", "ada\n", "ada/b", "ädä", "x" * 65, None, 7, ["ada"], "admin"]
)
def test_names_that_cannot_be_used_are_not_changed_but_refused(name: object) -> None:
    assert refusal({"preferred_username": name}) == "unusable_claims"


@pytest.mark.parametrize("subject", ["", None, 7, "x" * 256])
def test_without_a_subject_nobody_is_anybody(subject: object) -> None:
    assert refusal({"sub": subject}) == "unusable_claims"


def test_another_claim_can_be_the_name() -> None:
    assert person({"email": "ada@north.example"}, oidc_name_claim="email").name == "ada@north.example"
