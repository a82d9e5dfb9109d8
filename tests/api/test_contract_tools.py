"""Proves that the tools of this suite find errors: the contract refuses bad responses, the parsers refuse bad streams and
metrics, the log reader finds an error. A check that cannot fail proves nothing. Needs no server."""

import copy
import functools
import json
import pathlib

import httpx
import jsonschema
import pytest

from harness import logs, metrics, sse, tokens
from harness.client import Api, Problem, User
from harness.contract import REPOSITORY, Contract, ContractViolation, Document, inline

GOOD_HEADERS = {"x-request-id": "r1", "content-type": "application/json", "cache-control": "no-store",
                "x-content-type-options": "nosniff", "referrer-policy": "no-referrer"}
USER = {"userId": "13557505570205184", "username": "alice", "displayName": "Alice", "createdTimestamp": 1}
PROBLEM = {"type": "/docs#problem-user-not-found", "title": "t", "status": 404, "detail": "d",
           "code": "user-not-found", "requestId": "r1"}


def fetch(status, headers, body):
    """The client's result for that response to fetchUser."""
    contract = Contract()
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    transport = httpx.MockTransport(lambda request: httpx.Response(status, headers=headers, content=body))
    api = Api("http://test", contract, b"k" * 32, User("1", "a", "t"), mock=transport)
    return api.fetch_user("13557505570205184"), contract


def test_good_response():
    answer, contract = fetch(200, GOOD_HEADERS, USER)
    assert answer.expect(200) == USER and contract.hits == {("fetchUser", "200")}
    assert ("fetchUser", "404") in contract.missing(set())
    assert ("fetchUser", "200") not in contract.missing(set())
    assert not [m for m in contract.missing({("*", "500")}) if m[1] == "500"]
    with pytest.raises(Problem):
        answer.expect(404)


@pytest.mark.parametrize("status, headers, body", [
    (200, {k: v for k, v in GOOD_HEADERS.items() if k != "x-request-id"}, USER),
    (200, {**GOOD_HEADERS, "content-type": "text/plain"}, USER),
    (200, {k: v for k, v in GOOD_HEADERS.items() if k != "x-content-type-options"}, USER),
    (200, {**GOOD_HEADERS, "referrer-policy": "origin"}, USER),
    (404, {**GOOD_HEADERS, "content-type": "application/problem+json", "cache-control": "private"}, PROBLEM),
    (200, GOOD_HEADERS, {**USER, "userId": 5}),
    (200, GOOD_HEADERS, {**USER, "extra": 1}),
    (200, GOOD_HEADERS, {k: v for k, v in USER.items() if k != "username"}),
    (200, GOOD_HEADERS, b"{"),
    (200, GOOD_HEADERS, b'{"userId":"1","userId":"1"}'),
    (200, GOOD_HEADERS, b'{"userId":"\xff"}'),
    (201, GOOD_HEADERS, USER),
    (418, {**GOOD_HEADERS, "content-type": "application/problem+json"}, {**PROBLEM, "status": 418}),
    (404, GOOD_HEADERS, PROBLEM),
    (404, {**GOOD_HEADERS, "content-type": "application/problem+json"}, {**PROBLEM, "requestId": "other"}),
    (404, {**GOOD_HEADERS, "content-type": "application/problem+json"}, {**PROBLEM, "status": 400}),
    (404, {**GOOD_HEADERS, "content-type": "application/problem+json"}, {**PROBLEM, "code": "no-such-code"}),
    (404, {**GOOD_HEADERS, "content-type": "application/problem+json"}, {**PROBLEM, "type": "about:blank"}),
    (404, {**GOOD_HEADERS, "content-type": "application/problem+json"},
     {**PROBLEM, "code": "group-not-found", "type": "/docs#problem-group-not-found"}),
    (503, {**GOOD_HEADERS, "content-type": "application/problem+json"},
     {**PROBLEM, "status": 503, "code": "unavailable", "type": "/docs#problem-unavailable"}),
])
def test_bad_responses(status, headers, body):
    with pytest.raises(ContractViolation):
        fetch(status, headers, body)


def test_event_stream_parser():
    parser = sse.Parser()
    stream = b"retry: 1500\n: hello\n\nevent: delta\nid: 7\ndata: {\"a\":\ndata: 1}\n\nevent: x\n\ndata: open"
    events = [event for i in range(len(stream)) for event in parser.feed(stream[i:i + 1])]
    assert [(e.name, e.data, e.id) for e in events] == [("delta", '{"a":\n1}', "7")]
    assert parser.retry == 1500 and parser.comments == 1 and parser.last_id == "7"
    with pytest.raises(AssertionError):
        sse.Parser().feed(b"nonsense: 1\n")
    with pytest.raises(AssertionError):
        sse.Parser().feed(b"retry: soon\n")


def test_events_are_checked_against_the_contract():
    contract = Contract()
    delta = {"messages": [], "conversations": [], "isDeltaUpdate": True, "lastUpdatedTimestamp": 7, "hasMore": False}
    data = {"type": "delta", **delta}
    assert contract.check_event(sse.Event("delta", json.dumps(data), "7")) == delta
    for event in (sse.Event("delta", json.dumps(data), "8"), sse.Event("other", json.dumps(data), "7"),
                  sse.Event("delta", json.dumps({**data, "messages": [1]}), "7"), sse.Event("delta", "{", "7"),
                  sse.Event("delta", json.dumps({**data, "extra": 1}), "7"),
                  sse.Event("delta", json.dumps({**data, "type": "typing"}), "7"),
                  sse.Event("delta", json.dumps(delta), "7"),
                  sse.Event("presence", json.dumps({"type": "presence", "userId": "1", "online": True}), "7")):
        with pytest.raises(ContractViolation):
            contract.check_event(event)


@functools.cache
def sources():
    return Document.load(pathlib.Path(REPOSITORY, "openapi"))


def accepts(form, name, value):
    """Whether a form of the document accepts the value for that schema."""
    schema = inline({"$ref": f"#/components/schemas/{name}"}, form.root)
    return jsonschema.Draft202012Validator(schema).is_valid(value)


@pytest.mark.parametrize("name, value, more", [
    ("User", USER, {"extra": 1}),
    ("ChangedMessage", {"messageId": "1", "conversationId": "1", "senderCopy": "stored"}, {"senderCopy": "lost"}),
    ("Problem", PROBLEM, {"code": "of-tomorrow"}),
])
def test_responses_are_open_as_published_and_closed_for_the_tests(name, value, more):
    document = sources()
    for form in (document.published(), document.closed()):
        assert accepts(form, name, value)
    assert accepts(document.published(), name, {**value, **more})
    assert not accepts(document.closed(), name, {**value, **more})


def test_requests_are_closed_in_both_forms():
    request = {"type": "read", "messageId": "1"}
    for form in (sources().published(), sources().closed()):
        assert accepts(form, "SendReceiptRequest", request)
        assert not accepts(form, "SendReceiptRequest", {**request, "extra": 1})
        assert not accepts(form, "SendReceiptRequest", {**request, "type": "seen"})


@pytest.mark.parametrize("schema, fault", [
    ({"enum": ["a"]}, "without a type"),
    ({"type": "object", "anyOf": [{"required": ["userId"]}]}, "a word that the sources do not use"),
    ({"oneOf": [{"type": "string"}]}, "a choice without a name"),
    ({"$ref": "#/components/schemas/CreateUserRequest"}, "a request and a response share"),
])
def test_schemas_that_generators_cannot_type_are_found(schema, fault):
    assert sources().check() == []
    root = copy.deepcopy(sources().root)
    root["components"]["schemas"]["User"]["properties"]["planted"] = schema
    assert any(fault in found for found in Document(root).check())


def test_metrics_parser():
    samples = metrics.parse('# HELP a b\na_total 1\nb{x="1",y="a b"} 2.5\nb{x="2",y="c"} 1e3\n')
    assert metrics.total(samples, "b") == 1002.5 and metrics.total(samples, "b", x="1") == 2.5
    for text in ("a b c\n", "a 1\na 2\n"):
        with pytest.raises(AssertionError):
            metrics.parse(text)


def test_log_reader(tmp_path):
    path = tmp_path / "log"
    path.write_text('{"level":"info","event":"a"}\n')
    reader = logs.LogReader(str(path))
    reader.skip()
    with path.open("a") as stream:
        stream.write('{"level":"error","event":"b"}\n==1==ERROR: AddressSanitizer\n{"level":"warn","event":"c"}\ncut')
    lines = reader.take()
    assert len(lines) == 3 and len(logs.unexpected(lines)) == 2
    assert len(logs.unexpected(lines, ("b",))) == 1
    assert reader.take() == []
    assert logs.leaks(['{"a":"' + tokens.mint(b"k", 1) + '"}', "{}"], ()) != []
