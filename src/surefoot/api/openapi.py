"""The OpenAPI document, made from the route table and the values it names."""

import re
from typing import Any

import msgspec

from surefoot import __version__
from surefoot.api.operations import Operation
from surefoot.api.problems import PROBLEM_MEDIA
from surefoot.api.wire import Nothing, Problem

__all__ = ["document"]

_REFERENCE = "#/components/schemas/{name}"
_CONVERTOR = re.compile(r"\{(\w+)(?::(\w+))?\}")


def document(routes: tuple[Operation[Any], ...]) -> dict[str, Any]:
    """An OpenAPI 3.1 document of these routes."""
    named = {kind: None for route in routes for kind in (route.gives, route.takes)}
    kinds = [kind for kind in named if kind is not str] + [Problem]
    _, schemas = msgspec.json.schema_components(
        kinds, schema_hook=_any_json, ref_template=_REFERENCE
    )
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        path = _CONVERTOR.sub(r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Surefoot",
            "version": __version__,
            "summary": "Ship small. Watch it live. Restore fast.",
        },
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: Operation[Any], schemas: dict[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = {
        "summary": route.summary,
        "operationId": route.answer.__name__.removeprefix("_"),
        "parameters": [*_path_parameters(route.path), *_query_parameters(route, schemas)],
        "responses": {
            str(route.status): {
                "description": route.summary,
                "content": {route.media: {"schema": _schema(route.gives)}},
            },
            "default": {
                "description": "Why not, and the cure",
                "content": {PROBLEM_MEDIA: {"schema": _schema(Problem)}},
            },
        },
    }
    if not route.takes_query:
        content = {"application/json": {"schema": _schema(route.takes)}}
        said["requestBody"] = {"required": route.takes is not Nothing, "content": content}
    return said


def _path_parameters(path: str) -> list[dict[str, Any]]:
    kinds = {"int": "integer", None: "string"}
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": kinds[kind or None]}}
        for name, kind in _CONVERTOR.findall(path)
    ]


def _query_parameters(route: Operation[Any], schemas: dict[str, Any]) -> list[dict[str, Any]]:
    if not route.takes_query:
        return []
    properties = schemas[route.takes.__name__]["properties"]
    return [
        {"name": name, "in": "query", "required": False, "schema": schema}
        for name, schema in properties.items()
    ]


def _schema(kind: type) -> dict[str, Any]:
    return {"type": "string"} if kind is str else {"$ref": _REFERENCE.format(name=kind.__name__)}


def _any_json(kind: type) -> dict[str, Any]:
    """A ledger entry's data may hold any JSON."""
    if kind is object:
        return {"description": "Any JSON."}
    raise NotImplementedError(kind)
