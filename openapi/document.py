"""The document as build, docs/check and the tests see it: loaded, its references followed, its own tables checked."""

import forms
from bundle import load

METHODS = ("get", "put", "post", "delete", "patch")


class Operation:
    """One method of one path."""

    def __init__(self, path, method, node):
        self.path = path
        self.method = method
        self.node = node
        self.id = node["operationId"]


class Document:
    def __init__(self, root):
        self.root = root
        self.problems = root["x-problems"]
        self.operations = [
            Operation(path, method, node)
            for path, item in root["paths"].items()
            for method, node in item.items()
            if method in METHODS
        ]
        self.operation_ids = {operation.id for operation in self.operations}

    @classmethod
    def load(cls, folder):
        """The sources in that folder; neither closed nor published yet."""
        return cls(load(folder))

    def published(self):
        return Document(forms.published(self.root))

    def closed(self):
        return Document(forms.closed(self.root))

    def follow(self, node):
        """The node itself, or what its $ref leads to; words beside a $ref prevail over the target's."""
        if "$ref" not in node:
            return node
        beside = {key: value for key, value in node.items() if key != "$ref"}
        return {**self.follow(forms.target(self.root, node["$ref"])), **beside}

    def responses(self, operation):
        """(status, response) pairs."""
        return [(status, self.follow(node)) for status, node in operation.node["responses"].items()]

    def examples(self, content):
        """(key, summary, value) of a media type's examples."""
        out = []
        for key, node in content.get("examples", {}).items():
            example = self.follow(node)
            out.append((key, example.get("summary", key), example["value"]))
        return out

    def problem_codes(self, response):
        """The codes that a problem response may have; none if it is no problem."""
        return response.get("x-problem-codes", [])

    def check(self):
        """What no linter knows: returns the faults found, as lines of text."""
        faults = []
        enum = self.root["components"]["schemas"]["ProblemCode"]["enum"]
        if enum != list(self.problems):
            faults.append("ProblemCode and x-problems differ")
        for operation in self.operations:
            for status, response in self.responses(operation):
                where = f"{operation.id} {status}"
                if bool(self.problem_codes(response)) != (status >= "4"):
                    faults.append(f"{where}: x-problem-codes belongs to each problem, and to nothing else")
                if "X-Request-Id" not in response.get("headers", {}):
                    faults.append(f"{where}: no X-Request-Id")
                for code in self.problem_codes(response):
                    if str(self.problems.get(code, {}).get("status")) != status:
                        faults.append(f"{where}: {code} has another status, or is not in x-problems")
                faults += self.check_problem_examples(where, response)
        return faults + self.check_schemas()

    def check_schemas(self):
        """Holds the schemas to what all generators of clients turn into exact types."""
        faults = [f"a request and a response share {schema}" for schema in forms.in_both(self.root)]
        sent, answered = forms.directions(self.root)
        for schema in sent + answered:
            words = set(schema)
            if not words & {"type", "$ref", "oneOf"}:
                faults.append(f"without a type: {schema}")
            if words & {"enum", "const"} and schema.get("type") not in ("string", "integer", "boolean"):
                faults.append(f"an enum or a const without a type: {schema}")
            if words & {"anyOf", "allOf", "not", "if", "additionalProperties"}:
                faults.append(f"a word that the sources do not use: {schema}")
            if not all("$ref" in choice for choice in schema.get("oneOf", [])):
                faults.append(f"a choice without a name: {schema}")
        return faults

    def check_problem_examples(self, where, response):
        faults = []
        codes = self.problem_codes(response)
        content = response.get("content", {}).get("application/problem+json", {})
        for key, _, value in self.examples(content):
            if key not in codes:
                faults.append(f"{where}: an example named {key}, which is none of its codes")
                continue
            problem = self.problems[key]
            expected = {
                "type": f"/docs#problem-{key}",
                "title": problem["title"],
                "status": problem["status"],
                "code": key,
            }
            if any(value[name] != wanted for name, wanted in expected.items()):
                faults.append(f"{where}: the example {key} is not as x-problems says")
        return faults
