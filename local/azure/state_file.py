"""Keeps a world in a file over a restart of the process.

Private keys never go to disk. So the certificates of a world that comes back are made anew from their descriptions:
same names, URLs and dates, other keys and thumbprints.
"""

import pickle
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from local.azure.certificates import make_certificate, root_pem
from local.azure.world import CertificateVersion, World


class _Pickler(pickle.Pickler):
    def persistent_id(self, obj: object) -> str | None:
        return "private key" if isinstance(obj, RSAPrivateKey | EllipticCurvePrivateKey) else None


class _Unpickler(pickle.Unpickler):
    def persistent_load(self, pid: Any) -> None:
        return None


def save(world: World, path: Path) -> None:
    """Writes the world to the file; raises OSError."""
    beside = path.with_name(f".{path.name}.new")
    with beside.open("wb") as file:
        _Pickler(file).dump(world)
    beside.replace(path)


def load(path: Path, now: datetime) -> World:
    """The world that the file keeps, with new keys; raises OSError, and pickle.UnpicklingError for another file."""
    with path.open("rb") as file:
        world = _Unpickler(file).load()
    if not isinstance(world, World):
        raise pickle.UnpicklingError(f"{path} keeps no world")
    for certificates in (world.certificates, world.classic_certificates):
        for key, version in certificates.items():
            certificates[key] = _made_anew(version)
    world.public_root_pem, world.enterprise_root_pem = root_pem("public", now), root_pem("enterprise", now)
    return world


def _made_anew(version: CertificateVersion) -> CertificateVersion:
    if version.described is None:
        raise pickle.UnpicklingError(f"nobody knows what certificate {version.id} was made from")
    return make_certificate(
        version.described,
        host=urlsplit(version.id).netloc,
        vault=version.vault,
        name=version.name,
        version=version.version,
        exportable=version.exportable,
        now=version.created_at,
    )
