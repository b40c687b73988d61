"""The table of configuration keys in ``config/README.md``, written from the schema so that it cannot go stale.

``python -m nuinfer.config_table`` prints it.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

SCHEMA = Path(__file__).resolve().parents[2] / "schemas" / "config.schema.yaml"


def rows(schema: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """Yield key, type, default and description of every key of ``schema``; ``NAME`` stands for a name of one's own."""
    yield from _rows(schema, "", schema.get("$defs", {}))


def _rows(node: Mapping, prefix: str, definitions: Mapping) -> Iterator[tuple[str, str, str, str]]:
    for key, sub in node.get("properties", {}).items():
        if sub is not True:
            yield from _one(f"{prefix}{key}", sub, definitions)
    for branch in node.get("allOf", []):
        kind = branch["if"]["properties"]["format"]["const"]
        yield from _rows(branch["then"], f"{prefix[:-1]} ({kind}).", definitions)
    extra = node.get("additionalProperties")
    if isinstance(extra, Mapping):
        yield from _one(f"{prefix}NAME", extra, definitions)


def _one(key: str, sub: Mapping, definitions: Mapping) -> Iterator[tuple[str, str, str, str]]:
    if "$ref" in sub:
        sub = definitions[sub["$ref"].rsplit("/", 1)[1]]
    kind = " or ".join(map(str, sub["enum"])) if "enum" in sub else sub.get("type", "")
    default = sub.get("default", "")
    nested = "properties" in sub or isinstance(sub.get("additionalProperties"), Mapping)
    if not nested or "description" in sub:
        yield key, "" if nested else kind, "" if nested or default == "" else f"`{default}`", sub.get("description", "")
    yield from _rows(sub, key + ".", definitions)


def markdown(schema: Mapping[str, Any]) -> str:
    """Return the table as Markdown."""
    lines = ["| key | type | default | meaning |", "|---|---|---|---|"]
    lines += [f"| `{key}` | {kind} | {default} | {text.strip()} |" for key, kind, default, text in rows(schema)]
    return "\n".join(lines)


if __name__ == "__main__":
    import yaml

    print(markdown(yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))))
