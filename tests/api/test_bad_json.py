"""Proves that every body that is not one strict JSON object gets 400 with problem details, changes nothing, and leaves
the connection usable; and that the size limits are exact to the byte."""

import json

import pytest

from harness.client import unique
from harness.stack import SLOWNESS, cpu_seconds

VALID = '"recipientId":"{bob}","clientMessageId":"c","messageContent":"hello"'

BAD = {
    "empty": b"",
    "space": b"   ",
    "null": b"null",
    "number": b"1",
    "string": b'"x"',
    "array": b'[{VALID}]',
    "open": b'{VALID',
    "open string": b'{VALID,"a":"x',
    "closed twice": b"{VALID}}",
    "garbage after": b"{VALID} x",
    "two objects": b"{VALID}{}",
    "NUL after": b"{VALID}\x00",
    "NUL before": b"\x00{VALID}",
    "BOM": b"\xef\xbb\xbf{VALID}",
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "trailing comma": b"{VALID,}",
    "single quotes": b"{'a':'b'}",
    "unquoted key": b"{VALID,a:1}",
    "comment": b"{VALID/* x */}",
    "NaN": b'{VALID,"a":NaN}',
    "Infinity": b'{VALID,"a":-Infinity}',
    "hex": b'{VALID,"a":0x10}',
    "leading zero": b'{VALID,"a":01}',
    "plus": b'{VALID,"a":+1}',
    "bare point": b'{VALID,"a":1.}',
    "bare exponent": b'{VALID,"a":1e}',
    "lone minus": b'{VALID,"a":-}',
    "True": b'{VALID,"a":True}',
    "duplicate key": b'{VALID,"messageContent":"other"}',
    "duplicate unknown key": b'{VALID,"a":1,"a":1}',
    "duplicate by escape": b'{VALID,"message\\u0043ontent":"other"}',
    "duplicate inside": b'{VALID,"a":{"b":1,"b":2}}',
    "duplicate inside an array": b'{VALID,"a":[{"b":1,"b":2}]}',
    "raw newline in a string": b'{VALID,"a":"x\ny"}',
    "raw control in a string": b'{VALID,"a":"x\x01y"}',
    "raw NUL in a string": b'{VALID,"a":"x\x00y"}',
    "escaped NUL": b'{"recipientId":"{bob}","clientMessageId":"c","messageContent":"a\\u0000b"}',
    "escaped NUL in a key": b'{VALID,"a\\u0000":1}',
    "escaped NUL in an unknown field": b'{VALID,"a":["\\u0000"]}',
    "lone high surrogate": b'{"recipientId":"{bob}","clientMessageId":"c","messageContent":"\\ud83d"}',
    "lone low surrogate": b'{"recipientId":"{bob}","clientMessageId":"c","messageContent":"\\ude00"}',
    "surrogates swapped": b'{"recipientId":"{bob}","clientMessageId":"c","messageContent":"\\ude00\\ud83d"}',
    "high surrogate twice": b'{"recipientId":"{bob}","clientMessageId":"c","messageContent":"\\ud83d\\ud83d"}',
    "lone surrogate in a key": b'{VALID,"\\udc00":1}',
    "bad escape": b'{VALID,"a":"\\x41"}',
    "short escape": b'{VALID,"a":"\\u00"}',
    "escape without digits": b'{VALID,"a":"\\uzzzz"}',
    "invalid UTF-8": b'{"recipientId":"{bob}","clientMessageId":"c","messageContent":"\xff"}',
    "truncated UTF-8": b'{"recipientId":"{bob}","clientMessageId":"c","messageContent":"\xe2\x82"}',
    "overlong UTF-8": b'{"recipientId":"{bob}","clientMessageId":"c","messageContent":"\xc0\xaf"}',
    "overlong NUL": b'{"recipientId":"{bob}","clientMessageId":"c","messageContent":"\xc0\x80"}',
    "surrogate in UTF-8": b'{"recipientId":"{bob}","clientMessageId":"c","messageContent":"\xed\xa0\x80"}',
    "above U+10FFFF": b'{"recipientId":"{bob}","clientMessageId":"c","messageContent":"\xf4\x90\x80\x80"}',
    "five-byte UTF-8": b'{"recipientId":"{bob}","clientMessageId":"c","messageContent":"\xf8\x88\x80\x80\x80"}',
    "lone continuation": b'{"recipientId":"{bob}","clientMessageId":"c","messageContent":"a\x80"}',
    "invalid UTF-8 in an unknown field": b'{VALID,"a":"\xfe"}',
    "invalid UTF-8 in a key": b'{VALID,"\xfe":1}',
    "invalid UTF-8 between": b'{VALID,\xff"a":1}',
    "depth 10,000 arrays": b'{VALID,"a":' + b"[" * 10000 + b"]" * 10000 + b"}",
    "depth 10,000 objects": b'{VALID,"a":' + b'{"a":' * 10000 + b"1" + b"}" * 10000 + b"}",
    "depth 10,000, never closed": b'{VALID,"a":' + b"[" * 10000,
    "depth 65": b'{VALID,"a":' + b"[" * 64 + b"]" * 64 + b"}",
}


@pytest.fixture
def post(api, alice, bob):
    """Posts raw bytes as a send from alice to bob; {VALID} and {bob} stand for a valid body."""
    def send(body):
        body = body.replace(b"VALID", VALID.encode(), 1).replace(b"{bob}", bob.id.encode())
        return api.as_user(alice).request("POST", "/v1/messages", content=body,
                                          headers={"content-type": "application/json"})
    return send


@pytest.mark.parametrize("body", BAD.values(), ids=BAD)
def test_refused(api, alice, bob, post, body):
    post(body).expect(400, code="invalid-json")
    for user in (alice, bob):
        assert api.as_user(user).fetch_conversation().expect(200)["conversations"] == []
    post(b"{VALID}").expect(201)


@pytest.mark.parametrize("path", ["/v1/users", "/v1/sessions"])
@pytest.mark.parametrize("case", ["empty", "null", "open", "garbage after", "duplicate inside", "invalid UTF-8",
                                  "escaped NUL", "lone high surrogate", "depth 10,000 arrays"])
def test_refused_everywhere(api, path, case):
    body = BAD[case].replace(b"VALID", b'"username":"somebody","password":"correct horse"', 1)
    answer = api.request("POST", path, content=body, headers={"content-type": "application/json"})
    answer.expect(400, code="invalid-json")


GOOD = {
    "white space": b' \t\r\n{ "recipientId" : "{bob}" ,\n"clientMessageId":"c"\t,"messageContent":"hello"\r} \n',
    "escapes": b'{"recipientId":"{bob}","clientMessageId":"\\u0063","message\\u0043ontent":"\\u0068ello"}',
}

# Acceptable JSON in fields that are not known.
UNKNOWN = {
    "numbers": b'{VALID,"a":[0,-0,1.5,1e10,-1E-2,123456789012345678901234567890,1e999]}',
    "depth 64": b'{VALID,"a":' + b"[" * 63 + b"]" * 63 + b"}",
    "same key at several levels": b'{VALID,"a":{"messageContent":"x"},"b":{"a":1}}',
    "empty key": b'{VALID,"":1}',
}


@pytest.mark.parametrize("body", GOOD.values(), ids=GOOD)
def test_accepted(api, alice, bob, post, body):
    post(body).expect(201)
    (message,) = api.as_user(bob).fetch_messages(alice).expect(200)["messages"]
    assert message["messageContent"] == "hello"


@pytest.mark.parametrize("body", UNKNOWN.values(), ids=UNKNOWN)
def test_acceptable_json_in_unknown_fields(post, body):
    """The field is refused, not the JSON."""
    post(body).expect(422, code="unknown-field")


def test_surrogate_pair_is_one_character(api, alice, bob, post):
    post(b'{"recipientId":"{bob}","clientMessageId":"c","messageContent":"\\uD83D\\uDE00 \\ud83d\\ude00"}').expect(201)
    (message,) = api.as_user(bob).fetch_messages(alice).expect(200)["messages"]
    assert message["messageContent"] == "\U0001f600 \U0001f600"


@pytest.mark.parametrize("size, expected", [(65535, 201), (65536, 413)])
@pytest.mark.parametrize("escaped", [False, True])
def test_sizes_are_of_the_decoded_content(api, alice, bob, post, size, expected, escaped):
    """65,535 bytes of content are accepted, even if the body is six times as long because of escapes."""
    content = b"\\u0041" * size if escaped else b"A" * size
    body = b'{"recipientId":"{bob}","clientMessageId":"c","messageContent":"' + content + b'"}'
    answer = post(body)
    answer.expect(expected)
    if expected == 413:
        assert answer.code == "message-too-large"
    assert len(api.as_user(bob).fetch_conversation().expect(200)["conversations"]) == (expected == 201)


@pytest.mark.parametrize("size, expected", [(524288, 201), (524289, 413)])
def test_body_cap_is_inclusive(post, bob, size, expected):
    body = b"{VALID}".replace(b"VALID", VALID.encode()).replace(b"{bob}", bob.id.encode())
    answer = post(body + b" " * (size - len(body)))
    answer.expect(expected)
    assert expected == 201 or answer.code == "body-too-large"


def test_errors_lists_every_bad_field(api):
    body = {"username": "a", "displayName": "", "password": "x"}
    problem = api.post("/v1/users", body).expect(422, code="validation-failed")
    assert {e["pointer"] for e in problem["errors"]} == {"/username", "/displayName", "/password"}


def test_many_fields(api, stack, alice, bob):
    """Thousands of unknown fields are refused, and so are far too many values. Neither takes the processor time that
    comparing each key with all others would take."""
    for count, status in ((5000, 422), (30000, 400)):
        body = {f"field{i}": i for i in range(count)}
        body.update({"recipientId": bob.id, "clientMessageId": unique("c"), "messageContent": "x"})
        assert len(json.dumps(body)) < 524288 * 2
        before = cpu_seconds(stack.parleyd_pid())
        api.as_user(alice).post("/v1/messages", body).expect(status, 413)
        assert cpu_seconds(stack.parleyd_pid()) - before < 0.5 * SLOWNESS
