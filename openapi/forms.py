"""The two forms of the document: `published`, which clients get, and `closed`, which the tests hold the server against.

The sources list the fields and the values that this version of the server takes and sends, and do not say whether there may be
more. That depends on the direction and on the form:

|                        | published            | closed              |
|------------------------|----------------------|---------------------|
| object of a request    | no other fields      | no other fields     |
| object of a response   | other fields may come | no other fields    |
| `enum` of a response   | other values may come | no other values    |

`x-open: true` on an object of a response says that the closed form is open there too. A `const` stays as it is in both forms:
it tells the members of a union apart.
"""

MORE_VALUES = "A later version of the server may send other values."


def subschemas(schema):
    """The schemas directly inside a schema."""
    for name in ("properties", "patternProperties"):
        yield from schema.get(name, {}).values()
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            yield schema[name]
    for name in ("oneOf", "anyOf", "allOf"):
        yield from schema.get(name, [])


def target(root, reference):
    node = root
    for key in reference.removeprefix("#/").split("/"):
        node = node[key.replace("~1", "/").replace("~0", "~")]
    return node


def reachable(root, schemas):
    """Every schema that these use, each once, themselves included."""
    found, pending = {}, list(schemas)
    while pending:
        schema = pending.pop()
        if id(schema) in found:
            continue
        found[id(schema)] = schema
        pending += subschemas(schema)
        if "$ref" in schema:
            pending.append(target(root, schema["$ref"]))
    return list(found.values())


def schemas_below(root, node):
    """The outermost schemas in a part of an operation, and in the parameters, headers and responses that it refers to."""
    if isinstance(node, list):
        for value in node:
            yield from schemas_below(root, value)
    elif isinstance(node, dict):
        if not node.get("$ref", "#/components/schemas/").startswith("#/components/schemas/"):
            yield from schemas_below(root, target(root, node["$ref"]))
        for key, value in node.items():
            if key == "schema":
                yield value
            elif key not in ("example", "examples"):
                yield from schemas_below(root, value)


def directions(root):
    """(schemas of requests, schemas of responses)"""
    sent, answered = [], []
    for item in root["paths"].values():
        for operation in item.values():
            sent += schemas_below(root, operation.get("parameters", []))
            sent += schemas_below(root, operation.get("requestBody", {}))
            answered += schemas_below(root, operation["responses"])
    return reachable(root, sent), reachable(root, answered)


def in_both(root):
    """The objects and enums that requests and responses share: one form cannot be right for both."""
    sent, answered = directions(root)
    both = {id(schema) for schema in sent} & {id(schema) for schema in answered}
    return [schema for schema in sent if id(schema) in both and ("enum" in schema or schema.get("type") == "object")]


def close_object(schema):
    if schema.get("type") == "object" and not schema.get("x-open"):
        schema["additionalProperties"] = False


def open_enum(schema):
    known = {"type": schema.pop("type"), "enum": schema.pop("enum")}
    schema["description"] = " ".join([schema.get("description", "").strip(), MORE_VALUES]).strip()
    schema["anyOf"] = [known, {"type": known["type"]}]


def without_aliases(node):
    """A copy in which each place has an object of its own: with YAML's aliases, one object is in several places."""
    if isinstance(node, dict):
        return {key: without_aliases(value) for key, value in node.items()}
    if isinstance(node, list):
        return [without_aliases(value) for value in node]
    return node


def published(root):
    root = without_aliases(root)
    sent, answered = directions(root)
    for schema in sent:
        close_object(schema)
        schema.pop("x-open", None)
    for schema in answered:
        schema.pop("x-open", None)
        if "enum" in schema:
            open_enum(schema)
    return root


def closed(root):
    root = without_aliases(root)
    sent, answered = directions(root)
    for schema in sent + answered:
        close_object(schema)
    return root
