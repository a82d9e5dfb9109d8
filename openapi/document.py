"""parley.yaml as the generators see it: loaded, its references followed, its own tables checked."""

import yaml

METHODS = ("get", "put", "post", "delete", "patch")


class Operation:
    """One method of one path."""

    def __init__(self, path, method, node):
        self.path = path
        self.method = method
        self.node = node
        self.id = node["operationId"]


class Document:
    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.root = yaml.safe_load(file)
        self.problems = self.root["x-problems"]
        self.operations = [
            Operation(path, method, node)
            for path, item in self.root["paths"].items()
            for method, node in item.items()
            if method in METHODS
        ]
        self.operation_ids = {operation.id for operation in self.operations}

    def follow(self, node):
        """The node itself, or what its $ref leads to; words beside a $ref prevail over the target's."""
        if "$ref" not in node:
            return node
        target = self.root
        for key in node["$ref"].removeprefix("#/").split("/"):
            target = target[key.replace("~1", "/").replace("~0", "~")]
        beside = {key: value for key, value in node.items() if key != "$ref"}
        return {**self.follow(target), **beside}

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
        content = response.get("content", {}).get("application/problem+json")
        if content is None:
            return []
        for part in content["schema"]["allOf"]:
            code = part.get("properties", {}).get("code")
            if code is not None:
                return code.get("enum") or [code["const"]]
        raise ValueError("a problem response that does not say its codes")

    def check(self):
        """What no linter knows: returns the faults found, as lines of text."""
        faults = []
        enum = self.root["components"]["schemas"]["ProblemCode"]["enum"]
        if enum != list(self.problems):
            faults.append("ProblemCode and x-problems differ")
        for operation in self.operations:
            for status, response in self.responses(operation):
                where = f"{operation.id} {status}"
                if "X-Request-Id" not in response.get("headers", {}):
                    faults.append(f"{where}: no X-Request-Id")
                for code in self.problem_codes(response):
                    if str(self.problems.get(code, {}).get("status")) != status:
                        faults.append(f"{where}: {code} has another status, or is not in x-problems")
                faults += self.check_problem_examples(where, response)
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
