"""Operations: what the OpenAPI document says of a tool's operation, as arguments in and as a request out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from agents.gateway.mcp.tools import TOOLS, Tool
from streams.errors import RecordFault

JSON = "application/json"
REF = "#/components/schemas/"
Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request to the HTTP API; `body` is JSON, None for none."""

    method: str
    path: str
    query: dict[str, Any]
    headers: dict[str, str]
    body: Any = None


@dataclass(slots=True)
class Operation:
    """A tool with the schema of its arguments, and where in the request each of them goes."""

    tool: Tool
    properties: dict[str, Schema] = field(default_factory=dict)
    required: list[str] = field(default_factory=list)
    places: dict[str, tuple[str, str]] = field(default_factory=dict)  # argument to place and name there
    definitions: dict[str, Schema] = field(default_factory=dict)

    def input_schema(self) -> Schema:
        """Return the JSON Schema of the arguments."""
        schema: Schema = {
            "type": "object",
            "properties": self.properties,
            "required": self.required,
            "additionalProperties": False,
        }
        return schema | ({"$defs": self.definitions} if self.definitions else {})

    def take(self, argument: str, place: str, name: str, schema: Schema, *, required: bool) -> None:
        """Add an argument."""
        if argument in self.places:
            raise ValueError(f"{self.tool.name}: two arguments are named {argument}; name the body in tools.py")
        self.places[argument] = (place, name)
        self.properties[argument] = schema
        if required:
            self.required.append(argument)

    def request(self, arguments: Mapping[str, Any]) -> HttpRequest:
        """Return the request of a call; values are checked by the API itself.

        Raises:
            RecordFault: an argument is missing, or there is none of that name.
        """
        self._check_names(arguments)
        placed: dict[str, dict[str, Any]] = {"path": {}, "query": {}, "header": {}, "body": {}}
        whole: Any = None
        for argument, value in arguments.items():
            place, name = self.places[argument]
            if place == "whole":
                whole = value
            elif value is not None or place == "body":
                placed[place][name] = value
        path = self.tool.path.format_map({name: _segment(value) for name, value in placed["path"].items()})
        headers = {name: str(value) for name, value in placed["header"].items()}
        has_fields = any(place == "body" for place, _ in self.places.values())
        return HttpRequest(self.tool.method, path, placed["query"], headers, placed["body"] if has_fields else whole)

    def _check_names(self, arguments: Mapping[str, Any]) -> None:
        unknown = sorted(set(arguments) - set(self.places))
        missing = [each for each in self.required if arguments.get(each) is None]
        if unknown:
            raise RecordFault(f"there is no argument {', '.join(unknown)}; there are: {', '.join(self.places)}")
        if missing:
            raise RecordFault(f"{', '.join(missing)} must be given; {self.tool.name} needs {', '.join(self.required)}")


def _segment(value: object) -> str:
    """Return a value as one segment of a path: `..` would make of it another operation's."""
    return quote(str(value), safe="").replace(".", "%2E")


def operations(api: Mapping[str, Any], tools: Iterable[Tool] = TOOLS) -> dict[str, Operation]:
    """Return the operations of an OpenAPI document by the names of their tools; those that it lacks are left out."""
    found = {}
    for tool in tools:
        described = api["paths"].get(tool.path, {}).get(tool.method.lower())
        if described is not None:
            found[tool.name] = _operation(tool, described, api.get("components", {}).get("schemas", {}))
    return found


def _operation(tool: Tool, described: Mapping[str, Any], components: Mapping[str, Schema]) -> Operation:
    made = Operation(tool)

    def local(schema: Any) -> Any:  # noqa: ANN401 - any part of a schema
        """Return a schema whose references are to the operation's own definitions."""
        if isinstance(schema, list):
            return [local(each) for each in schema]
        if not isinstance(schema, dict):
            return schema
        name = str(schema.get("$ref", "")).removeprefix(REF)
        if name in components and name not in made.definitions:
            made.definitions[name] = {}  # it may hold itself
            made.definitions[name] = local(components[name])
        return {key: f"#/$defs/{name}" if key == "$ref" else local(value) for key, value in schema.items()}

    for each in described.get("parameters", ()):
        argument = each["name"].lower().replace("-", "_")
        schema = local(each["schema"]) | ({"description": each["description"]} if "description" in each else {})
        made.take(argument, each["in"], each["name"], schema, required=each.get("required", False))
    content = described.get("requestBody", {}).get("content", {}).get(JSON)
    if content is not None:
        _take_body(
            made, content["schema"], local(content["schema"]), required=described["requestBody"].get("required", False)
        )
    return made


def _take_body(made: Operation, schema: Schema, local: Schema, *, required: bool) -> None:
    if made.tool.body is not None:
        made.take(made.tool.body, "whole", "", local, required=required)
        return
    fields = made.definitions.pop(str(schema.get("$ref", "")).removeprefix(REF), local)
    for name, each in fields.get("properties", {}).items():
        made.take(name, "body", name, each, required=name in fields.get("required", ()))
