"""Proves, for every operation, the errors that do not depend on what it does: an unknown or repeated parameter (400), no
token (401), another method (405), too large a body (413) or header section (431), another media type (415), a cookie from
another site (403), page sizes (422), an expectation (417), too much at once (429) and an unreachable database (503). Also
that nothing undocumented is served."""

import asyncio
import concurrent.futures
import contextlib
import json
import time

import httpx
import pytest

from harness import tokens
from harness.client import Api, User
from harness.contract import closed_document, inline
from harness.h1conn import H1Connection
from harness.h2conn import H2Connection
from harness.stack import SLOWNESS, Parleyd, wait_until
from operations import BODILESS, IDS, OPTIONAL_BODY, POSTS, PUBLIC, REFUSED, STATIC, prepare, request_of


@pytest.fixture(scope="module")
def me(api):
    return api.make_user()


@pytest.fixture(scope="module")
def peer(api):
    return api.make_user()


@pytest.fixture(scope="module")
def message_id(api, me, peer):
    return prepare(api, me, peer)


@pytest.fixture
def call(api, me, peer, message_id):
    """Sends the operation's valid request with something changed."""
    def send(operation, suffix="", user=me, **changes):
        method, target, body = request_of(operation, me, peer, message_id)
        method = changes.pop("method", method)
        if suffix:
            target += ("&" if "?" in target else "?") + suffix
        options = {"headers": changes.pop("headers", None)}
        if "content" in changes:
            options["content"] = changes["content"]
        elif body is not None:
            options["json_body"] = body
        return api.as_user(user).request(method, target, **options)
    return send


@pytest.mark.parametrize("operation", IDS)
@pytest.mark.parametrize("suffix", ["nonsense=1", "pagesize=1", "=1", "pageSize=1&pageSize=2", "access_token=x"])
def test_unknown_or_repeated_parameter(call, operation, suffix):
    call(operation, suffix).expect(400)


@pytest.mark.parametrize("operation", IDS)
@pytest.mark.parametrize("suffix", ["%zz=1", "a=%", "a=%00"])
def test_query_that_cannot_be_decoded(call, operation, suffix):
    call(operation, suffix).expect(400)


@pytest.mark.parametrize("operation", [i for i in IDS if i not in PUBLIC])
@pytest.mark.parametrize("header", [None, "", "Bearer", "Basic YTpi", "Bearer a.b", "bearer x y"])
def test_no_token(call, operation, header):
    answer = call(operation, user=None, headers={"authorization": header})
    # An account with a password needs no token. But a token that is given must be valid.
    answer.expect(201 if operation == "createUser" and header is None else 401)


@pytest.mark.parametrize("operation", IDS)
@pytest.mark.parametrize("method", ["DELETE", "PUT", "PATCH", "OPTIONS", "TRACE", "BREW"])
def test_other_method(call, contract, me, peer, operation, method):
    path = request_of(operation, me, peer)[1].split("?")[0]
    documented = {o.method for o in contract.operations if contract.find(o.method, path) is o}
    if method in documented:
        method = "PUT" if "POST" in documented else "POST"
    answer = call(operation, method=method)
    answer.expect(405)
    allowed = [m.strip() for m in answer.headers["allow"].split(",")]
    assert method not in allowed and set(allowed) - {"HEAD"} == documented and len(set(allowed)) == len(allowed)


@pytest.mark.parametrize("operation", POSTS)
def test_get_of_what_is_posted(api, me, contract, operation):
    template, = (o.template for o in contract.operations if o.id == operation)
    if not any(o.template == template and o.method == "GET" for o in contract.operations):
        method, target, _ = request_of(operation, me, me)
        assert api.as_user(me).request("GET", target).expect(405)


@pytest.mark.parametrize("operation", [i for i in BODILESS if i not in OPTIONAL_BODY])
@pytest.mark.parametrize("body", [b"x", b"{}", b"null"])
def test_body_where_none_is_allowed(call, operation, body):
    call(operation, content=body, headers={"content-type": "application/json"}).expect(400, code="malformed-request")


@pytest.mark.parametrize("operation", [i for i in BODILESS if i not in ["deleteMe", "removeGroupMember", *REFUSED]])
def test_empty_body_counts_as_no_body(call, operation):
    for headers in ({"content-length": "0"}, {"content-type": "application/json"}, {"content-type": "text/plain"}):
        call(operation, headers=headers).expect(200, 204)


@pytest.mark.parametrize("operation", POSTS + BODILESS)
def test_body_over_the_cap(call, operation):
    call(operation, content=b'{"a":"' + b"x" * 600_000 + b'"}',
         headers={"content-type": "application/json"}).expect(413)


@pytest.mark.parametrize("operation", POSTS)
@pytest.mark.parametrize("media", [None, "text/plain", "application/x-www-form-urlencoded", "application/jsonx",
                                   "multipart/form-data; boundary=x", "application/json-patch+json", "json"])
def test_other_media_type(call, operation, media):
    call(operation, headers={"content-type": media}).expect(415)


def test_other_media_type_of_an_optional_body(call):
    call("deleteMe", content=b"{}", headers={"content-type": "text/plain"}).expect(415)


@pytest.mark.parametrize("operation", POSTS)
@pytest.mark.parametrize("media", ["application/json", "application/json; charset=utf-8", "Application/JSON",
                                   "application/json;charset=UTF-8"])
def test_media_types_that_are_json(call, operation, media):
    call(operation, headers={"content-type": media}).expect(200, 201, 204, 401)


@pytest.mark.parametrize("operation", IDS)
def test_header_section_over_the_cap(call, operation):
    call(operation, headers={f"x-filler-{i}": "x" * 1000 for i in range(40)}).expect(431)


@pytest.mark.parametrize("operation", POSTS + BODILESS)
def test_expectation(call, operation):
    changes = {"content": b"{}"} if operation in BODILESS else {}
    call(operation, headers={"expect": "200-ok"}, **changes).expect(417)


@pytest.mark.parametrize("operation", [i for i in POSTS + BODILESS if i not in PUBLIC and i != "createUser"])
def test_cookie_of_another_site(call, me, operation):
    """A browser sends the login's cookie for any page that asks it to. createUser ignores cookies."""
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {}):
        cookie = {"cookie": f"__Host-parley={me.token}", **headers}
        call(operation, user=None, headers=cookie).expect(403, code="cross-site-request")


def operations_with_pages():
    for item in closed_document()["paths"].values():
        for operation in item.values():
            parameters = inline(operation.get("parameters", []), closed_document())
            if any(parameter["name"] == "pageSize" for parameter in parameters):
                yield operation["operationId"]


@pytest.mark.parametrize("operation", operations_with_pages())
def test_invalid_page_sizes(call, operation):
    for size in ("0", "101", "x", "-1", ""):
        (error,) = call(operation, f"pageSize={size}").expect(422)["errors"]
        assert error["pointer"] == "?pageSize"


@pytest.mark.parametrize("path", ["/docs/x", "/v1", "/v1/", "/v2/users", "/v1/user", "/v1/users//", "/v1/users/1/2",
                                  "/v1//messages", "/v1/conversations/1/2", "/v1/blocks/1/2", "/v1/conversations/1-2/messages/3/4",
                                  "/metrics", "/healthz", "/readyz", "/openapi.yaml", "/.git/config",
                                  "/docs//", "/V1/users", "/v1/updates/stream/x", "/v1/users%2F1"])
def test_nothing_undocumented_is_served(api, alice, path):
    for method in ("GET", "POST", "DELETE"):
        api.as_user(alice).request(method, path, headers={"content-type": "application/json"}).expect(404)


@pytest.mark.parametrize("path", ["/docs/", "/v1/users/", "/v1/conversations/1-2/messages/", "/v1/updates/stream/", "/openapi.json/"])
def test_a_trailing_slash_is_redirected(stack, path):
    """The redirect keeps method and body, so that each resource has one URL. Not for DELETE, where an id may be missing."""
    answer = httpx.get(stack.url + path + "?a=1")
    assert answer.status_code == 308 and answer.headers["location"] == path[:-1] + "?a=1"
    assert answer.content == b"" and answer.headers["x-request-id"] and answer.headers["content-length"] == "0"
    assert httpx.delete(stack.url + path).status_code == 404


def test_a_trailing_slash_with_a_wrong_method(stack):
    answer = httpx.put(stack.url + "/docs/")
    assert answer.status_code == 405 and answer.headers["allow"] == "GET, HEAD"


def test_the_root_leads_to_the_docs(stack):
    answer = httpx.get(stack.url + "/")
    assert answer.status_code == 307 and answer.headers["location"] == "/docs"
    assert httpx.head(stack.url + "/").status_code == 307
    assert httpx.post(stack.url + "/").status_code == 405
    assert httpx.get(stack.url + "/", follow_redirects=True).headers["content-type"].startswith("text/html")


def test_request_ids_differ(api, alice):
    ids = {api.as_user(alice).fetch_user(alice.id).headers["x-request-id"] for _ in range(50)}
    assert len(ids) == 50


def test_document_and_page(api, contract):
    value = api.request("GET", "/openapi.json").expect(200)
    assert value["openapi"] == "3.1.0"
    served = {o["operationId"] for item in value["paths"].values() for m, o in item.items()
              if isinstance(o, dict) and "operationId" in o}
    assert served == {o.id for o in contract.operations} == set(IDS)
    answer = api.request("GET", "/docs")
    page = answer.body.decode()
    assert answer.status == 200 and "content-security-policy" in answer.headers
    for code in contract.document["components"]["schemas"]["ProblemCode"]["enum"]:
        assert f'id="problem-{code}"' in page, f"the docs page has no section for {code}"


@pytest.mark.parametrize("operation", STATIC)
def test_documents_are_revalidated(call, operation):
    etag = call(operation).headers["etag"]
    call(operation, headers={"if-none-match": etag}).expect(304)
    call(operation, headers={"if-none-match": '"other"'}).expect(200)


@pytest.mark.parametrize("operation", [i for i in IDS if i not in ("streamUpdates", "announcePresence", "unblockUser")])
def test_head_is_get_without_body_or_refused(call, operation):
    """404: another test may have deleted the message's conversation by then."""
    answer = call(operation, method="HEAD")
    assert answer.body == b"" and answer.status in (200, 400, 404, 405)


# One server of its own, behind proxies that can be stalled or closed.

@pytest.fixture(scope="module")
def cut_off(stack):
    server = Parleyd(stack, {
        "server": {"max_requests_in_flight_per_connection": 4},
        "lanes": {"request_deadline": 2}}, proxied=True).start()
    yield server
    server.set_proxies("pass")
    server.close()


@pytest.fixture(autouse=True)
def restored(request):
    yield
    if "cut_off" in request.fixturenames:
        server = request.getfixturevalue("cut_off")
        server.set_proxies("pass")


@pytest.mark.own_server
def test_database_away(cut_off, contract, stack):
    """Every operation answers 503 with Retry-After while the databases refuse connections, and works again afterwards.
    The users are not known to the server yet, because some operations of known users need no database."""
    operations = [i for i in IDS if i not in STATIC and i not in ("streamUpdates", "fetchCapabilities")]
    known, calls = Api(stack.url, contract, stack.jwt_key), {}
    for operation in operations:
        me, peer = known.make_user(), known.make_user()
        message_id = prepare(known, me, peer)
        if operation in REFUSED:
            me = User(me.id, me.username, tokens.mint(stack.jwt_key, me.id, sid="1", scope="admin"))
        calls[operation] = me, request_of(operation, me, peer, message_id)
    known.close()

    def call(operation):
        me, (method, target, body) = calls[operation]
        with contextlib.closing(Api(cut_off.url, contract, stack.jwt_key)) as api:
            return api.as_user(me).request(method, target, json_body=body).status

    cut_off.set_proxies("refuse")
    with concurrent.futures.ThreadPoolExecutor(len(operations)) as threads:
        during = dict(zip(operations, threads.map(call, operations)))
    assert set(during.values()) == {503}, during
    cut_off.set_proxies("pass")
    for operation in operations:
        wait_until(lambda operation=operation: call(operation) in (200, 201, 204, *([404] if operation in REFUSED else [401])), 20 * SLOWNESS, f"{operation} works again")


@pytest.mark.own_server
@pytest.mark.parametrize("operation", ["fetchMe", "fetchUpdates", "exportMe"])
def test_lost_result_of_a_read(cut_off, contract, stack, me, operation):
    """A connection to the database ends while the result of a read is on its way. A read has changed nothing, so the answer
    does not say that it may have. One operation for each way in which reads are made."""
    method, target, _ = request_of(operation, me, me)
    api = Api(cut_off.url, contract, stack.jwt_key)
    wait_until(lambda: api.as_user(me).request(method, target).status == 200, 20 * SLOWNESS, "the databases are there")
    cut_off.set_proxies("mute")
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        answer = thread.submit(api.as_user(me).request, method, target)
        time.sleep(0.5)
        cut_off.set_proxies("refuse")
        answer.result().expect(503, code="unavailable")
    api.close()


@pytest.mark.own_server
def test_stream_outlives_an_outage(cut_off, contract, stack, peer):
    """A stream can be opened and stays open while the databases are unreachable, because a browser's EventSource gives up
    for good when it is refused. Messages sent afterwards arrive."""
    api = Api(cut_off.url, contract, stack.jwt_key)
    me = api.make_user()
    cut_off.set_proxies("refuse")
    with H1Connection(cut_off.url, timeout=40 * SLOWNESS) as connection:
        connection.send(connection.encode("GET", "/v1/updates/stream?lastUpdatedTimestamp=0",
                                          [("Authorization", f"Bearer {me.token}")]))
        status, headers = connection.read_head()
        contract.check("GET", "/v1/updates/stream", status, headers, b"")
        assert status == 200
        cut_off.set_proxies("pass")
        for _ in range(100 * SLOWNESS):
            if api.as_user(peer).send(me, "after the outage", "c").status in (200, 201):
                break
            time.sleep(0.1)
        data = b""
        while b"after the outage" not in data:
            data += connection.read_chunk()
    api.close()


@pytest.mark.own_server
def test_too_much_at_once_on_one_connection(cut_off, contract, stack, me, peer):
    """With the databases stalled, sends stay in flight; every request over the limit of 4 gets 429 at once, whatever its operation."""
    cut_off.set_proxies("stall")
    operations = ["sendMessage"] * 4 + IDS

    async def flood():
        connection = await H2Connection.open(cut_off.url)
        headers = [("authorization", f"Bearer {me.token}"), ("content-type", "application/json")]
        streams = []
        for operation in operations:
            method, target, body = request_of(operation, me, peer)
            streams.append((method, target, connection.start(
                method, target, headers, json.dumps(body).encode() if body else None)))
        statuses = []
        for method, target, stream in streams:
            response = await stream.response(30 * SLOWNESS)
            contract.check(method, target, response.status, response.headers, response.body)
            statuses.append(response.status)
        await connection.close()
        return statuses

    statuses = asyncio.run(flood())
    assert statuses[:4] == [503] * 4
    assert set(statuses[4:]) == {429}, dict(zip(operations[4:], statuses[4:]))


