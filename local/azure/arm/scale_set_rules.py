"""What Azure checks in a scale set's body before it accepts it.

Source: the texts of refusals in public issues and recordings; the password's and name's rules as Azure states them.
"""

import copy
import re

from local.azure.arm import sizes
from local.azure.arm.call import Call
from local.azure.errors import AzureError, compute_error, network_error
from local.azure.references import owner, part_of
from local.azure.world import Body, Resource

TYPE = "Microsoft.Compute/virtualMachineScaleSets"

# How the names of images that need a second-generation machine look.
_SECOND_GENERATION = re.compile(r"(-g2$|-g2-|gensecond|azure-edition)", re.IGNORECASE)


def missing(parameter: str) -> AzureError:
    """A required member is not there."""
    name = parameter.removeprefix("properties.")
    return compute_error(400, "InvalidParameter", f"Required parameter '{name}' is missing (null).", target=name)


def invalid(target: str, message: str) -> AzureError:
    """A member has a value that is not allowed."""
    return compute_error(400, "InvalidParameter", message, target=target)


def check_size(call: Call, body: Body) -> sizes.Size:
    """The size exists, is offered, may be used, and has the wanted zones; returns it."""
    sku = body.get("sku") or {}
    if not sku.get("name"):
        raise missing("sku.name")
    if not isinstance(sku.get("capacity"), int) or not 0 <= sku["capacity"] <= 1000:
        raise invalid("sku.capacity", f"The value {sku.get('capacity')} of sku.capacity must be between 0 and 1000.")
    size = sizes.SIZES.get(sku["name"].lower())
    region = body["location"]
    if size is None or not sizes.is_offered(call.world, size, region):
        known = ",".join(known.name for known in sizes.SIZES.values() if sizes.is_offered(call.world, known, region))
        raise invalid(
            "vmSize",
            f"The value {sku['name']} provided for the VM size is not valid. The valid sizes in the current region are:"
            f" {known}.",
        )
    if sizes.is_restricted(call.world, size, region):
        raise compute_error(
            409,
            "SkuNotAvailable",
            "The requested VM size for resource 'Following SKUs have failed for Capacity Restrictions: "
            f"{size.name}' is currently not available in location '{region}'. Please try another size or deploy to a "
            "different location or different zone. See https://aka.ms/azureskunotavailable for details.",
        )
    offered = sizes.zones_of(call.world, size, region)
    not_offered = [zone for zone in body.get("zones", []) if zone not in offered]
    if not_offered:
        raise compute_error(
            400,
            "LocationNotSupportAvailabilityZones",
            f"The zone(s) '{','.join(not_offered)}' for resource '{TYPE}/{body['name']}' is not supported. The "
            f"supported zones for location '{region}' are '{','.join(offered)}'",
        )
    body["sku"].setdefault("tier", "Standard")
    return size


def check_changes(body: Body, existing: Resource | None) -> None:
    """What cannot change once the scale set stands; a password that is sent again counts as a change."""
    properties = body["properties"]
    if properties.get("orchestrationMode", "Uniform") != "Uniform":
        raise invalid("orchestrationMode", "The simulator knows scale sets with orchestration mode Uniform only.")
    if existing is None:
        return
    profile = properties.get("virtualMachineProfile", {})
    system = profile.get("osProfile", {})
    before = existing.properties["virtualMachineProfile"]["osProfile"]
    zones: list[str] = existing.body.get("zones", [])
    changes = {
        "osProfile.adminPassword": "adminPassword" in system,
        "osProfile.adminUsername": system.get("adminUsername", before["adminUsername"]) != before["adminUsername"],
        "osProfile.computerNamePrefix": system.get("computerNamePrefix", before["computerNamePrefix"])
        != before["computerNamePrefix"],
        "zones": any(zone not in body.get("zones", zones) for zone in zones),
    }
    for name, changed in changes.items():
        if changed:
            raise compute_error(409, "PropertyChangeNotAllowed", f"Changing property '{name}' is not allowed.", name)
    for member, value in existing.properties.items():
        properties.setdefault(member, copy.deepcopy(value))
    for member in ("zones", "identity"):
        if member in existing.body:
            body.setdefault(member, copy.deepcopy(existing.body[member]))


def check_profile(body: Body, existing: Resource | None, size: sizes.Size) -> None:
    """The machines: names, password, image, extensions."""
    properties = body["properties"]
    if not properties.get("upgradePolicy", {}).get("mode"):
        raise missing("upgradePolicy")
    profile = properties.get("virtualMachineProfile")
    if not profile:
        raise missing("virtualMachineProfile")
    system = profile.setdefault("osProfile", {})
    wanted = ["computerNamePrefix", "adminUsername"] + ([] if existing else ["adminPassword"])
    for name in wanted:
        if not system.get(name) and existing:
            system[name] = existing.properties["virtualMachineProfile"]["osProfile"][name]
        if not system.get(name):
            raise missing(name)
    image = profile.get("storageProfile", {}).get("imageReference")
    if not image or not (image.get("id") or all(image.get(key) for key in ("publisher", "offer", "sku", "version"))):
        raise missing("imageReference")
    is_windows = "windows" in image.get("publisher", "").lower() or "windowsConfiguration" in system
    prefix = system["computerNamePrefix"]
    if is_windows and (len(prefix) > 9 or prefix.isdigit() or not re.fullmatch(r"[A-Za-z0-9-]+", prefix)):
        raise invalid(
            "computerNamePrefix",
            "Windows computer name prefix cannot be more than 9 characters long, be entirely numeric, or contain the "
            "following characters: ` ~ ! @ # $ % ^ & * ( ) = + _ [ ] { } \\ | ; : . ' \" , < > / ?.",
        )
    if "adminPassword" in system and not _is_strong(system["adminPassword"]):
        raise invalid(
            "adminPassword",
            "The supplied password must be between 8-123 characters long and must satisfy at least 3 of password "
            "complexity requirements from the following: 1) Contains an uppercase character 2) Contains a lowercase "
            "character 3) Contains a numeric digit 4) Contains a special character 5) Control characters are not "
            "allowed",
        )
    if "V2" not in size.generations and _SECOND_GENERATION.search(image.get("sku", "")):
        raise compute_error(
            400,
            "BadRequest",
            f"The selected VM size '{size.name}' cannot boot Hypervisor Generation '2'. If this was a Create operation "
            "please check that the Hypervisor Generation of the Image matches the Hypervisor Generation of the selected"
            " VM Size. If this was an Update operation please select a Hypervisor Generation '2' VM Size. For more "
            "information, see https://aka.ms/azuregen2vm",
        )
    for extension in profile.get("extensionProfile", {}).get("extensions", []):
        for name in ("publisher", "type", "typeHandlerVersion"):
            if not extension.get("properties", {}).get(name):
                raise missing(name)
    system.setdefault("secrets", [])
    if is_windows:
        system.setdefault("windowsConfiguration", {"provisionVMAgent": True, "enableAutomaticUpdates": True})


def _is_strong(password: str) -> bool:
    kinds = (str.isupper, str.islower, str.isdigit, _is_special)
    return 8 <= len(password) <= 123 and sum(any(map(kind, password)) for kind in kinds) >= 3


def _is_special(character: str) -> bool:
    return not character.isalnum()


def network_references(body: Body) -> list[str]:
    """The IDs of all network resources and parts that a scale set names."""
    profile = body["properties"]["virtualMachineProfile"].get("networkProfile") or {}
    found = [profile["healthProbe"]["id"]] if profile.get("healthProbe") else []
    for interface in profile.get("networkInterfaceConfigurations", []):
        if interface["properties"].get("networkSecurityGroup"):
            found.append(interface["properties"]["networkSecurityGroup"]["id"])
        for configuration in interface["properties"]["ipConfigurations"]:
            properties = configuration["properties"]
            if properties.get("subnet"):
                found.append(properties["subnet"]["id"])
            for collection in ("loadBalancerBackendAddressPools", "loadBalancerInboundNatPools"):
                found += [reference["id"] for reference in properties.get(collection, [])]
    return found


def check_network(call: Call, body: Body) -> None:
    """Network interfaces with subnets; all that they name exists in the same region."""
    profile = body["properties"]["virtualMachineProfile"].get("networkProfile") or {}
    interfaces = profile.get("networkInterfaceConfigurations", [])
    if not interfaces:
        raise missing("networkProfile.networkInterfaceConfigurations")
    if sum(bool(interface["properties"].get("primary")) for interface in interfaces) != 1 and len(interfaces) > 1:
        raise invalid("networkInterfaceConfigurations", "Exactly one network interface must be primary.")
    for interface in interfaces:
        for configuration in interface["properties"]["ipConfigurations"]:
            if not configuration["properties"].get("subnet"):
                raise missing("subnet")
    for reference in network_references(body):
        holder = owner(call.world, reference)
        if holder is None or not part_of(call.world, reference) or holder.location != body["location"]:
            raise network_error(
                "InvalidResourceReference",
                f"Resource {reference} referenced by resource {body['id']} was not found. Please make sure that the "
                "referenced resource exists, and that both resources are in the same region.",
            )
