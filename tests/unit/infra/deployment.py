"""A deployment of the Bicep files: what is declared is made, each after what it refers to, at its scope."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.unit.infra.azure_facts import BUILT_IN
from tests.unit.infra.evaluation import Absent, Evaluator, Module, Place, Resource
from tests.unit.infra.language import BicepError, Condition, Declared, Loop, Object, Reader

TYPES: Mapping[str, type] = {"string": str, "int": int, "bool": bool, "array": list, "object": dict}
GROUP = "Microsoft.Resources/resourceGroups"
ROLE = "Microsoft.Authorization/roleDefinitions"
LIMITS: Mapping[str, Callable[[Any, Any], bool]] = {
    "minLength": lambda value, limit: len(value) >= limit,
    "maxLength": lambda value, limit: len(value) <= limit,
    "minValue": lambda value, limit: value >= limit,
    "maxValue": lambda value, limit: value <= limit,
}


@dataclass
class Deployment:
    """All that one deployment makes. `make` sends a resource to Azure, and gives its answer back."""

    make: Callable[[Resource], Mapping[str, Any]]
    tenant: str
    cloud: Mapping[str, Any]
    resources: list[Resource] = field(default_factory=list)
    references: list[tuple[str, Resource, tuple[str, ...]]] = field(default_factory=list)
    modules: list[str] = field(default_factory=list)
    """Their IDs: a deployment's name is unique at its scope."""

    def run(self, path: Path, place: Place, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        """The outputs of a file that is deployed at a place."""
        return _File(self, path, place, parameters).deploy()


class _File:
    def __init__(self, deployment: Deployment, path: Path, place: Place, parameters: Mapping[str, Any]) -> None:
        target, declared = Reader(path.read_text(), path.name).file()
        wanted = "resourceGroup" if place.group else "subscription"
        if target != wanted:
            raise BicepError(f"{path.name} is for the scope «{target}», and is deployed to the scope «{wanted}»")
        self.deployment, self.path, self.place = deployment, path, place
        self.declared = {(one.kind == "output", one.name): one for one in declared}
        if len(self.declared) < len(declared):
            raise BicepError(f"{path.name} declares a name twice")
        self.evaluator = Evaluator(path, place, deployment.tenant, deployment.cloud, self._symbol, self._refer)
        self.made: dict[str, Any] = {}
        self.running: list[str] = []
        self.parameters = self._given(parameters)

    def _given(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        known = {one.name: one for one in self.declared.values() if one.kind == "param"}
        if unknown := parameters.keys() - known.keys():
            raise BicepError(f"{self.path.name} has no parameter {sorted(unknown)}")
        given = dict(parameters)
        for name, declared in known.items():
            if name not in given and declared.value is None:
                raise BicepError(f"{self.path.name}: the parameter «{name}» is missing")
            if name not in given:
                given[name] = self.evaluator.value(declared.value, {})
            self._check(declared, given[name])
        return given

    def _check(self, declared: Declared, value: Any) -> None:
        if type(value) is not TYPES[declared.of]:
            raise BicepError(f"{self.path.name}: «{declared.name}» is a {declared.of}, not {value!r}")
        for rule, argument in declared.decorators.items():
            limit = self.evaluator.value(argument, {})
            if (rule == "allowed" and value not in limit) or (rule in LIMITS and not LIMITS[rule](value, limit)):
                raise BicepError(f"{self.path.name}: «{declared.name}» is {value!r}, against {rule}({limit})")

    def deploy(self) -> dict[str, Any]:
        for declared in self.declared.values():
            if declared.kind in ("resource", "module"):
                self._symbol(declared.name)
        outputs = {}
        for declared in self.declared.values():
            if declared.kind == "output":
                outputs[declared.name] = self.evaluator.value(declared.value, {})
                self._check(declared, outputs[declared.name])
        return outputs

    def _refer(self, resource: Resource, path: tuple[str, ...]) -> None:
        self.deployment.references.append((f"{self.path.name}: {resource.symbol}", resource, path))

    def _symbol(self, name: str) -> Any:
        declared = self.declared.get((False, name))
        if declared is None:
            raise BicepError(f"{self.path.name}: «{name}» is not declared")
        if declared.kind == "param":
            return self.parameters[name]
        if name in self.made:
            return self.made[name]
        if name in self.running:
            raise BicepError(f"{self.path.name}: «{name}» needs itself, by way of {self.running}")
        self.running.append(name)
        try:
            if declared.kind == "var":  # anew each time: what may be known depends on who asks
                return self.evaluator.value(declared.value, {})
            starting, self.evaluator.starting = self.evaluator.starting, False
            self.made[name] = self._each(declared, declared.value, {})
            self.evaluator.starting = starting
        finally:
            self.running.remove(name)
        return self.made[name]

    def _each(self, declared: Declared, body: Any, local: Mapping[str, Any]) -> Any:
        """What a declaration makes: one, none, or one in each turn of its loop."""
        match body:
            case Loop():
                return [self._each(declared, body.body, here) for here in self.evaluator.turns(body, local)]
            case Condition(test, inner):
                holds = self.evaluator.at_start(test, local)
                return self._each(declared, inner, local) if holds else Absent(declared.name)
            case Object() if not declared.existing:
                needs = body.get("dependsOn")
                if needs:
                    self.evaluator.value(needs, local)
                return (self._resource if declared.kind == "resource" else self._module)(declared, body, local)
        raise BicepError(f"{self.path.name}: what «{declared.name}» is given is not understood here")

    def _module(self, declared: Declared, body: Object, local: Mapping[str, Any]) -> Module:
        name = self.evaluator.at_start(body.get("name"), local)
        scope = self.evaluator.at_start(body.get("scope"), local) if body.get("scope") else self.place
        if isinstance(scope, Resource) and scope.type == GROUP:
            scope = Place(scope.place.subscription, scope.name, scope.body["location"])
        if not isinstance(scope, Place) or body.without("name", "scope", "params", "dependsOn").pairs:
            raise BicepError(f"{self.path.name}: what the module «{declared.name}» is given is not understood here")
        module_id = f"{scope.id}/providers/Microsoft.Resources/deployments/{name}"
        if module_id.lower() in map(str.lower, self.deployment.modules):
            raise BicepError(f"{self.path.name}: a second module «{name}» at {scope.id}")
        self.deployment.modules.append(module_id)
        parameters = self.evaluator.value(body.get("params") or Object(()), local)
        return Module(name, self.deployment.run(self.path.parent / declared.of, scope, parameters))

    def _resource(self, declared: Declared, body: Object, local: Mapping[str, Any]) -> Resource:
        kind, _, version = declared.of.partition("@")
        name = self.evaluator.at_start(body.get("name"), local)
        parent, scope = (self._holder(body, key, local) for key in ("parent", "scope"))
        if kind.count("/") > 1:
            if parent is None or parent.type != kind.rpartition("/")[0]:
                raise BicepError(f"{self.path.name}: the parent of «{declared.name}» is no {kind.rpartition('/')[0]}")
            resource_id = f"{parent.id}/{kind.rpartition('/')[2]}/{name}"
        elif kind == GROUP:
            resource_id = f"{self.place.id}/resourceGroups/{name}"
        else:
            resource_id = f"{(scope or self.place).id}/providers/{kind}/{name}"
        given = self.evaluator.value(body.without("name", "parent", "scope", "dependsOn"), local)
        symbol = f"{self.path.name}: {declared.name}"
        if nothing := [key for key, value in given.items() if value is None]:
            raise BicepError(f"{symbol}: {nothing} is null: Azure Resource Manager takes that below properties only")
        try:
            json.dumps(given)
        except TypeError:
            raise BicepError(f"{symbol}: a resource stands for a value") from None
        made = Resource(symbol, kind, version, resource_id, name, self.place, given)
        if kind == "Microsoft.Authorization/roleAssignments":
            self._check_role(made)
        made.answer = self.deployment.make(made)
        self.deployment.resources.append(made)
        return made

    def _check_role(self, assignment: Resource) -> None:
        """Azure answers RoleDefinitionDoesNotExist where it does not know the role in the assignment's subscription."""
        definitions = f"/subscriptions/{assignment.place.subscription}/providers/{ROLE}/"
        known = {f"{definitions}{one}" for one in BUILT_IN} | {
            one.id for one in self.deployment.resources if one.type == ROLE and one.id.startswith(definitions)
        }
        if assignment.body["properties"]["roleDefinitionId"].lower() not in map(str.lower, known):
            raise BicepError(f"{assignment.symbol}: in {assignment.place.id} nothing made the role that it assigns")

    def _holder(self, body: Object, key: str, local: Mapping[str, Any]) -> Resource | None:
        if body.get(key) is None:
            return None
        found = self.evaluator.at_start(body.get(key), local)
        if not isinstance(found, Resource):
            raise BicepError(f"{self.path.name}: {key} {found!r} is no resource that is made here")
        return found
