"""What must be set where people sign in at an issuer of their organisation's (OpenID Connect)."""

from __future__ import annotations

from hub.addresses import is_protected

__all__ = ["issuer_fault"]


def issuer_fault(issuer: str, client_id: str, scopes: str, *, has_roles: bool) -> str:
    """What is wrong with these settings; empty where nothing is, or where there is no issuer."""
    if not issuer:
        return ""
    if not client_id:
        return "oidc_issuer needs oidc_client_id, under which the issuer knows this hub"
    if not is_protected(issuer):
        return "oidc_issuer must be an https address; plain http is for this machine only"
    if "openid" not in scopes.split():
        return "oidc_scopes must name openid, or the issuer sends no ID token"
    if not has_roles:
        return "oidc_issuer needs oidc_roles or oidc_default_role, or everybody would be refused"
    return ""
