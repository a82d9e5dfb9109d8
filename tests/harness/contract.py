"""Checks every response against the closed form of the document in openapi/: see openapi/README.md.

`Contract.check` finds the operation that a request belongs to, and fails unless the status is documented for it, the
media type is the documented one, the body satisfies its schema, and the rules for every response hold (X-Request-Id,
headers for browsers, problem details, Retry-After). It records (operationId, status), so that `missing` can list the documented statuses that
no test has seen.
"""

import copy
import functools
import json
import os
import pathlib
import re
import sys
import threading
import uuid

import jsonschema

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(REPOSITORY, "openapi"))

from document import Document  # pylint: disable=wrong-import-position

PROBLEM_TYPE = "application/problem+json"
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


class ContractViolation(AssertionError):
    pass


@functools.cache
def closed_document():
    return Document.load(pathlib.Path(REPOSITORY, "openapi")).closed().root


def inline(node, document, depth=0):
    """Replaces every local $ref by its target; the document has no recursive schema."""
    if depth > 60:
        raise ContractViolation("openapi: $ref nesting is too deep or recursive")
    if isinstance(node, dict):
        if "$ref" in node:
            target = document
            for part in node["$ref"].lstrip("#/").split("/"):
                target = target[part.replace("~1", "/").replace("~0", "~")]
            merged = copy.copy(inline(target, document, depth + 1))
            merged.update({k: inline(v, document, depth + 1) for k, v in node.items() if k != "$ref"})
            return merged
        return {k: inline(v, document, depth + 1) for k, v in node.items()
                if k not in ("example", "examples")}
    if isinstance(node, list):
        return [inline(v, document, depth + 1) for v in node]
    return node


class Operation:
    def __init__(self, method, template, definition):
        self.method = method
        self.template = template
        self.id = definition["operationId"]
        self.responses = {str(status): r for status, r in definition["responses"].items()}
        pattern = re.sub(r"\\\{[^/]+?\\\}", r"[^/]+", re.escape(template))
        self.pattern = re.compile("^" + pattern + "$")
        self.validators = {}
        self.headers = {}
        for status, response in self.responses.items():
            self.headers[status] = {
                name.lower(): (jsonschema.Draft202012Validator(header.get("schema", {})),
                               header.get("schema", {}).get("type"))
                for name, header in response.get("headers", {}).items() if header.get("required")}
            for media, content in response.get("content", {}).items():
                schema = content.get("schema", {})
                self.validators[status, media] = jsonschema.Draft202012Validator(
                    schema, format_checker=jsonschema.FormatChecker())


def _parse_json(body, what):
    def refuse_duplicates(pairs):
        keys = [k for k, _ in pairs]
        if len(keys) != len(set(keys)):
            raise ContractViolation(f"{what}: duplicate keys in {keys}")
        return dict(pairs)

    try:
        return json.loads(body.decode("utf-8"), object_pairs_hook=refuse_duplicates)
    except (UnicodeDecodeError, ValueError) as error:
        raise ContractViolation(f"{what}: not JSON: {error}: {body[:200]!r}") from error


class Contract:
    def __init__(self, document=None):
        if document is None:
            document = closed_document()
        self.document = document
        base = document.get("servers", [{"url": "/"}])[0]["url"].rstrip("/")
        base = re.sub(r"^https?://[^/]+", "", base)
        resolved = inline({k: document[k] for k in ("paths",)}, document)
        self.operations = []
        for template, item in resolved["paths"].items():
            for method in METHODS:
                if method in item:
                    path = template if template.startswith("/v1") else base + template
                    self.operations.append(Operation(method.upper(), path, item[method]))
        problem = inline({"$ref": "#/components/schemas/Problem"}, document)
        self.problem = jsonschema.Draft202012Validator(problem)
        events = document["components"]["schemas"]["StreamEvent"]["discriminator"]["mapping"]
        self.events = {name: jsonschema.Draft202012Validator(inline({"$ref": reference}, document))
                       for name, reference in events.items()}
        self.hits = set()
        self._lock = threading.Lock()

    def find(self, method, path):
        """The operation, or None if there is no route. Literal templates win."""
        found = [o for o in self.operations if o.pattern.match(path)]
        fewest = min((o.template.count("{") for o in found), default=0)
        return next((o for o in found if o.method == method and o.template.count("{") == fewest), None)

    def check(self, method, target, status, headers, body):
        """headers: a mapping with lower-case names. Returns the decoded JSON, or None."""
        path = target.split("?", 1)[0]
        what = f"{method} {target[:200]} -> {status}"
        media = headers.get("content-type", "").split(";")[0].strip()
        request_id = headers.get("x-request-id")
        if not request_id:
            raise ContractViolation(f"{what}: no X-Request-Id")
        self._check_browser_headers(what, status, headers)
        if status in (429, 503) and not re.fullmatch(r"[1-9][0-9]{0,4}", headers.get("retry-after", "")):
            raise ContractViolation(f"{what}: Retry-After is {headers.get('retry-after')!r}")
        if status == 405 and not headers.get("allow"):
            raise ContractViolation(f"{what}: 405 without Allow")
        value = None
        if status >= 400:
            value = self._check_problem(what, status, media, request_id, body, headers)
        operation = self.find("GET" if method == "HEAD" and status != 405 else method, path)
        if operation is None and status == 405:
            # A method that the path does not have counts for all operations of the path.
            operations = [o for o in self.operations if o.pattern.match(path)]
            self._hit(operations, status)
            operation = operations[0] if operations else None
        if operation is None:
            if status < 400:
                raise ContractViolation(f"{what}: success on a call that is not documented")
            return value
        if str(status) not in operation.responses:
            raise ContractViolation(f"{what}: {operation.id} does not document {status}: {body[:300]!r}")
        self._hit([operation], status)
        self._check_code(operation, status, value, what)
        self._check_headers(operation, status, headers, what)
        if status == 304 or method == "HEAD":
            if body or status == 304 and "etag" not in headers:
                raise ContractViolation(f"{what}: a body where there must be none, or no ETag")
            return None
        if status < 400 and media == "text/event-stream":
            if (str(status), media) not in operation.validators:
                raise ContractViolation(f"{what}: {media} is not documented")
            return None
        if not operation.responses[str(status)].get("content"):
            return value
        validator = operation.validators.get((str(status), media))
        if validator is None:
            raise ContractViolation(f"{what}: media type {media!r} is not documented")
        if media == "text/html":
            return None
        if media == "application/x-ndjson":
            return self._check_lines(validator, body, what)
        if value is None:
            value = _parse_json(body, what)
        self._validate(validator, value, what)
        return value

    @staticmethod
    def _check_browser_headers(what, status, headers):
        """No browser guesses a content type or tells another site an address, and no cache keeps an error."""
        for name, value in (("x-content-type-options", "nosniff"), ("referrer-policy", "no-referrer")):
            if headers.get(name) != value:
                raise ContractViolation(f"{what}: {name} is {headers.get(name)!r}")
        if status >= 400 and "no-store" not in headers.get("cache-control", ""):
            raise ContractViolation(f"{what}: an error with Cache-Control {headers.get('cache-control')!r}")

    def _check_lines(self, validator, body, what):
        """The schema is that of one line."""
        lines = body.split(b"\n")
        if lines.pop():
            raise ContractViolation(f"{what}: ends within a line")
        values = [_parse_json(line, what) for line in lines]
        for value in values:
            self._validate(validator, value, what)
        return values

    def check_event(self, event):
        """Checks one event of the stream (an sse.Event); returns its data without the `type`, which is the event's name."""
        data = _parse_json(event.data.encode(), f"event {event.name}")
        if event.name not in self.events:
            raise ContractViolation(f"event {event.name} is not documented")
        self._validate(self.events[event.name], data, f"event {event.name}")
        cursor = str(data["lastUpdatedTimestamp"]) if event.name == "delta" else None
        if event.id != cursor:
            raise ContractViolation(f"event {event.name}: its id is {event.id}, and not {cursor}")
        del data["type"]
        return data

    def _hit(self, operations, status):
        with self._lock:
            self.hits.update((o.id, str(status)) for o in operations)

    def _check_headers(self, operation, status, headers, what):
        for name, (validator, kind) in operation.headers[str(status)].items():
            if name not in headers:
                raise ContractViolation(f"{what}: no {name}")
            value = headers[name]
            if kind == "integer" and value.isdigit():
                value = int(value)
            self._validate(validator, value, f"{what}, {name}")

    def _validate(self, validator, value, what):
        error = jsonschema.exceptions.best_match(validator.iter_errors(value))
        if error is not None:
            where = "/".join(str(p) for p in error.absolute_path)
            raise ContractViolation(f"{what}: /{where}: {error.message[:400]}")

    def _check_code(self, operation, status, problem, what):
        if problem is None:
            return
        codes = operation.responses[str(status)]["x-problem-codes"]
        if problem["code"] not in codes:
            raise ContractViolation(f"{what}: {operation.id} documents {codes}, not {problem['code']}")
        if problem["code"] == "validation-failed" and "errors" not in problem:
            raise ContractViolation(f"{what}: does not name the invalid fields")

    def _check_problem(self, what, status, media, request_id, body, headers):
        if media != PROBLEM_TYPE:
            raise ContractViolation(f"{what}: an error of type {media!r}: {body[:200]!r}")
        if what.startswith("HEAD ") and not body:
            return None
        value = _parse_json(body, what)
        self._validate(self.problem, value, what)
        if value["status"] != status:
            raise ContractViolation(f"{what}: problem says {value['status']}")
        if value["requestId"] != request_id:
            raise ContractViolation(f"{what}: requestId {value['requestId']} is not {request_id}")
        if not value["type"].endswith(value["code"]):
            raise ContractViolation(f"{what}: type {value['type']} does not name {value['code']}")
        return value

    def documented(self):
        return {(o.id, status) for o in self.operations for status in o.responses}

    def save_hits(self, directory):
        with self._lock:
            hits = sorted(self.hits)
        path = os.path.join(directory, f"hits-{uuid.uuid4().hex}.json")
        with open(path, "w", encoding="utf-8") as stream:
            json.dump(hits, stream)

    def load_hits(self, directory):
        for name in os.listdir(directory):
            if name.startswith("hits-"):
                with open(os.path.join(directory, name), encoding="utf-8") as stream:
                    self.hits.update(tuple(hit) for hit in json.load(stream))

    def missing(self, exceptions):
        """Documented statuses that were never seen, except the written exceptions."""
        return sorted(hit for hit in self.documented() - self.hits if not any(
            fits in (hit, ("*", hit[1])) for fits in exceptions))
