"""Which findings are about some values of ``provisioned_by`` only: who makes the gateway decides what can hurt it."""

from collections.abc import Mapping

APP, SITE, STANDING = "automation", "site", "existing"

_ONLY: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (
        # The app makes every part itself, from its own image and with the certificate of a vault.
        (APP,),
        (
            "certificate-content-type",
            "deployment-name-differs",
            "gateway-software-missing",
            "not-supported-by-microsoft",
            "policies-not-seen",
            "policy-denies",
            "resource-name-taken",
            "size-without-generation-1",
            "vault-in-other-region",
            "vault-not-enabled-for-deployment",
            "vault-not-in-subscription",
            "vault-soft-deleted",
        ),
    ),
    (
        # The site makes it, under names of its own and with what its release can do.
        (SITE,),
        (
            "names-held-by-old-gateway",
            "release-cmdlet-without-size",
            "release-existing-group",
            "release-managed-identity",
            "release-policy-fix",
            "release-storage-tls",
            "release-update-application-settings",
            "release-zonal-maintenance",
            "site-makes-the-gateway",
            "storage-name-taken",
            "vault-name-soft-deleted",
            "vault-name-taken",
        ),
    ),
    (
        # Something is still to be made.
        (APP, SITE),
        (
            "address-quota-too-small",
            "capacity-not-seen",
            "connection-point-ports",
            "deployment-name-taken",
            "network-quota-not-seen",
            "network-quota-too-small",
            "quota-too-small",
            "size-not-offered",
        ),
    ),
    (
        # What stands is taken as it is.
        (SITE, STANDING),
        (
            "new-gateway-in-other-group",
            "new-gateway-in-other-region",
            "new-gateway-is-old",
            "new-gateway-made-anew",
            "new-gateway-missing",
            "new-gateway-not-ready",
            "new-gateway-other-name",
            "new-gateway-without-name",
        ),
    ),
    (
        # It stood before the request.
        (STANDING,),
        (
            "certificate-as-shown",
            "new-gateway-in-other-subscription",
            "new-gateway-not-led-to",
            "new-gateway-silent",
        ),
    ),
)
ABOUT: Mapping[str, tuple[str, ...]] = {code: makers for makers, codes in _ONLY for code in codes}
"""A finding's code to the makers that it is about; those that are not here are about all."""
