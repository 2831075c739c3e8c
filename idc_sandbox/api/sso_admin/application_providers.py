"""Application providers: what an application can be made of."""

from __future__ import annotations

from operator import attrgetter
from typing import Any, NamedTuple

from idc_sandbox.context import Context
from idc_sandbox.errors import not_found, validation_error
from idc_sandbox.wire.registry import Listing, operation

_PREFIX = "arn:aws:sso::aws:applicationProvider/"
CUSTOM = f"{_PREFIX}custom"


class _Provider(NamedTuple):
    """A provider; only a customer's applications can be created from it, or a service makes them itself."""

    arn: str
    protocol: str
    name: str
    description: str
    is_customers: bool = False
    scopes: tuple[str, ...] = ()


# AWS publishes no whole list. These were seen in public code; their names and words are ours (UNCONFIRMED).
_PROVIDERS = {
    one.arn: one
    for one in (
        _Provider(CUSTOM, "OAUTH", "Custom application", "An OAuth 2.0 application of your own", True),
        _Provider(
            f"{_PREFIX}custom-saml", "SAML", "Custom SAML 2.0 application", "A SAML 2.0 application", True
        ),
        _Provider(
            f"{_PREFIX}catalog/ExternalAWSAccount", "SAML", "External AWS account", "An account elsewhere"
        ),
        _Provider(
            f"{_PREFIX}redshift", "OAUTH", "Amazon Redshift", "Data warehouses", scopes=("redshift:connect",)
        ),
        _Provider(f"{_PREFIX}qbusiness", "OAUTH", "Amazon Q Business", "An assistant for work"),
        _Provider(f"{_PREFIX}sagemakerstudio", "OAUTH", "Amazon SageMaker Studio", "Notebooks and models"),
        _Provider(f"{_PREFIX}account-access", "OAUTH", "Account access manager", "Roles in accounts"),
        _Provider(f"{_PREFIX}eks-argocd", "OAUTH", "Argo CD on Amazon EKS", "Deployments to clusters"),
    )
}


def is_customer_managed(provider_arn: str) -> bool:
    """Tell whether applications of a provider are the customer's own, and not an AWS service's."""
    provider = _PROVIDERS.get(provider_arn)
    return provider is None or provider.is_customers or "/catalog/" in provider_arn


def require_creatable(provider_arn: str) -> None:
    """Refuse a provider of which no API makes applications."""
    if not _find(provider_arn).is_customers:
        # AWS's words, as seen in public bug reports.
        raise validation_error(
            f"The application provider with arn '{provider_arn}' is not supported for this action. Use "
            f"{CUSTOM!r}: other applications are set up in the console or by their AWS service."
        )


def _find(provider_arn: str) -> _Provider:
    provider = _PROVIDERS.get(provider_arn)
    if provider is None:
        raise not_found(
            f"No application provider {provider_arn!r} exists. ListApplicationProviders shows them."
        )
    return provider


def _shown(provider: _Provider) -> dict[str, Any]:
    scopes = {scope: {"DetailedTitle": scope, "LongDescription": scope} for scope in provider.scopes}
    return {
        "ApplicationProviderArn": provider.arn,
        "FederationProtocol": provider.protocol,
        "DisplayData": {"DisplayName": provider.name, "Description": provider.description},
        "ResourceServerConfig": {"Scopes": scopes} if scopes else None,
    }


@operation("sso-admin", "ListApplicationProviders")
def list_application_providers(context: Context, request: dict[str, Any]) -> Listing:  # noqa: ARG001
    """List the providers."""
    return Listing(_PROVIDERS.values(), attrgetter("arn"), _shown)


@operation("sso-admin", "DescribeApplicationProvider")
def describe_application_provider(context: Context, request: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001
    """Return one provider."""
    return _shown(_find(request["ApplicationProviderArn"]))
