"""Proves authentication: a token is accepted only if a configured key signed it with that key's algorithm, it has an
expiry and it is valid now; only an admin can act for others; external issuers work, and their keys cannot be confused
with ours."""

import base64
import hashlib
import hmac
import json
import time

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from harness import tokens
from harness.client import Api, User, conversation_id, unique
from harness.stack import Parleyd


def status(api, user, token, **headers):
    """The status of fetchUser with that token."""
    answer = api.request("GET", f"/v1/users/{user.id}", headers={"authorization": f"Bearer {token}", **headers})
    return answer.status


def minted(api, user, **extra):
    return tokens.mint(api.key, user.id, **extra)


@pytest.mark.parametrize("change", [
    {}, {"iat": None}, {"nbf": 1}, {"aud": "x"}, {"jti": "1", "scope": "read write"}, {"iss": "parley"},
    {"sub": None, "expected": 401}, {"sub": "", "expected": 401}, {"sub": "abc", "expected": 401},
    {"sub": "0", "expected": 401}, {"sub": "-5", "expected": 401}, {"sub": "01", "expected": 401},
    {"sub": "9223372036854775808", "expected": 401}, {"sub": ["1"], "expected": 401},
    {"sub": {"a": 1}, "expected": 401}, {"exp": None, "expected": 401}, {"exp": "tomorrow", "expected": 401},
    {"exp": -1, "expected": 401}, {"exp": 0, "expected": 401}, {"exp": True, "expected": 401},
], ids=str)
def test_claims(api, alice, change):
    change = dict(change)
    expected = change.pop("expected", 200)
    assert status(api, alice, minted(api, alice, **change)) == expected


def test_times_with_leeway(api, alice):
    """The default leeway is 30 s, because the clocks of issuers differ."""
    now = int(time.time())
    assert status(api, alice, minted(api, alice, exp=now - 3600)) == 401
    assert status(api, alice, minted(api, alice, exp=now - 120)) == 401
    assert status(api, alice, minted(api, alice, exp=now + 60)) == 200
    assert status(api, alice, minted(api, alice, nbf=now + 3600)) == 401
    assert status(api, alice, minted(api, alice, iat=now + 3600)) == 401


@pytest.mark.own_server
def test_token_expires_while_it_is_remembered(stack, contract, alice):
    """The expiry of a cached token is still checked."""
    server = Parleyd(stack, {"auth": {"clock_leeway": 0}}).start()
    try:
        api = Api(server.url, contract, stack.jwt_key)
        token = tokens.mint(stack.jwt_key, alice.id, lifetime=3)
        deadline = time.time() + 5
        assert status(api, alice, token) == 200
        while time.time() < deadline:
            answer = status(api, alice, token)
            if answer == 401:
                break
            time.sleep(0.1)
        assert answer == 401
        api.close()
    finally:
        server.close()


def test_signatures(api, alice):
    good = minted(api, alice)
    head, payload, signature = good.split(".")
    assert status(api, alice, good) == 200
    bad = [f"{head}.{payload}.", f"{head}.{payload}", f"{head}.{payload}.{signature[:-4]}",
           f"{head}.{payload}.{signature}.x", f"{head}.{payload}.{'A' * len(signature)}", f".{payload}.{signature}",
           f"{head}..{signature}", "..", ".", good + "x", good + "=", good[1:],
           tokens.mint(b"another key, as long as it must be", alice.id), tokens.mint(b"", alice.id),
           tokens.mint(api.key + b"\n", alice.id)]
    other = tokens.b64(tokens.claims(int(alice.id) + 512))
    bad.append(f"{head}.{other}.{signature}")
    for token in bad:
        assert status(api, alice, token) == 401, token


def test_last_bits_of_the_signature_are_significant(api, alice):
    """Base64url of 32 bytes has two unused bits: a token with another last character must be refused."""
    head, payload, signature = minted(api, alice).split(".")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    value = alphabet.index(signature[-1])
    for last in {alphabet[value ^ 4], alphabet[value ^ 32]}:
        assert status(api, alice, f"{head}.{payload}.{signature[:-1]}{last}") == 401


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", "", None, "HS256 "])
def test_unsigned(api, alice, algorithm):
    token = tokens.unsigned(alice.id, algorithm)
    assert status(api, alice, token) == 401
    signed = tokens.mint(api.key, alice.id, header={"alg": algorithm, "typ": "JWT"})
    assert status(api, alice, signed) == 401


@pytest.mark.parametrize("algorithm, digest", [("HS384", hashlib.sha384), ("HS512", hashlib.sha512),
                                               ("RS256", hashlib.sha256), ("ES256", hashlib.sha256),
                                               ("EdDSA", hashlib.sha256), ("hs256", hashlib.sha256)])
def test_other_algorithms_with_our_key(api, alice, algorithm, digest):
    token = tokens.sign_hs256(api.key, {"alg": algorithm, "typ": "JWT"}, tokens.claims(alice.id), digest)
    assert status(api, alice, token) == 401


@pytest.mark.parametrize("header", [{"alg": "HS256", "crit": ["exp"]}, {"alg": "HS256", "crit": ["b64"], "b64": False}])
def test_critical_headers_are_refused(api, alice, header):
    assert status(api, alice, tokens.mint(api.key, alice.id, header=header)) == 401


def test_keys_in_the_token_are_not_used(api, alice):
    key = b"the attacker's own key, long enough"
    jwk = {"kty": "oct", "k": tokens.b64(key)}
    for extra in ({"jwk": jwk}, {"jku": "http://127.0.0.1/"}, {"kid": "../../../dev/null"}, {"x5u": "http://x/"}):
        token = tokens.mint(key, alice.id, header={"alg": "HS256", **extra})
        assert status(api, alice, token) == 401
    assert status(api, alice, tokens.mint(b"", alice.id, header={"alg": "HS256", "kid": "/dev/null"})) == 401


@pytest.mark.parametrize("payload", [b"null", b"[]", b"1", b"\"x\"", b"{", b"{}", b"\xff\xfe", b"",
                                     b'{"sub":"1"' + b" " * 8000 + b"}", b"[" * 5000,
                                     b'{"sub":"1","sub":"2","exp":99999999999}'])
def test_payloads_that_are_no_claims(api, alice, payload):
    encoded = base64.urlsafe_b64encode(payload).rstrip(b"=").decode()
    signing = f"{tokens.b64({'alg': 'HS256', 'typ': 'JWT'})}.{encoded}"
    signature = tokens.b64(hmac.new(api.key, signing.encode(), hashlib.sha256).digest())
    assert status(api, alice, f"{signing}.{signature}") == 401


def test_huge_token(api, alice):
    assert status(api, alice, minted(api, alice, filler="x" * 3000)) == 200
    assert status(api, alice, minted(api, alice, filler="x" * 20000)) in (401, 431)


def test_scheme_is_case_insensitive(api, alice):
    token = minted(api, alice)
    for scheme in ("bearer", "BEARER"):
        answer = api.request("GET", f"/v1/users/{alice.id}", headers={"authorization": f"{scheme} {token}"})
        assert answer.status == 200


def test_no_token_in_the_url(api, alice):
    for name in ("access_token", "token", "jwt", "authorization"):
        assert api.request("GET", f"/v1/users/{alice.id}?{name}={minted(api, alice)}").status in (400, 401)


def test_token_of_unknown_user(api, alice):
    """A correctly signed token for a user who does not exist creates nothing and breaks nothing."""
    ghost = User("1", "ghost", tokens.mint(api.key, 1))
    mine = api.as_user(ghost)
    mine.fetch_user(alice.id).expect(200)
    mine.fetch_user("1").expect(404)
    mine.fetch_conversation().expect(200, 401)
    mine.send(alice, "boo").expect(401, 403, 404, 422)
    assert api.as_user(alice).fetch_conversation().expect(200)["conversations"] == []


def test_token_of_a_shard_that_does_not_exist(api):
    far = str((1 << 63) - 1)
    mine = api.as_user(User(far, "far", tokens.mint(api.key, far)))
    for answer in (mine.fetch_conversation(), mine.fetch_updates(timeout=0), mine.fetch_user(far),
                   mine.get("/v1/updates/stream")):
        assert answer.status in (200, 401, 404)


# Admin

def test_admin_is_one_of_several_scopes(api, alice):

    for scope, expected in (("admin", 201), ("read admin write", 201), ("administrator", 403), ("Admin", 403),
                            ("nonadmin", 403), ("", 403), (None, 403), (["admin"], 403), ({"admin": True}, 403)):
        token = tokens.mint(api.key, alice.id, scope=scope)
        answer = api.as_user(User(alice.id, "", token)).create_user(unique("adm"))
        # A scope of the wrong type may also make the whole token invalid.
        assert answer.status == expected or (not isinstance(scope, (str, type(None))) and answer.status == 401), scope


def test_users_cannot_make_themselves_admin(api, alice):
    mine = api.as_user(alice)
    mine.post("/v1/users", {"username": "root-ish"}).expect(403)
    mine.post("/v1/users", {"username": "root-ish", "scope": "admin"}).expect(422, code="unknown-field")


# Privacy: promise 8

def test_users_cannot_read_other_mailboxes(api, alice, bob):
    third = api.make_user()
    api.as_user(alice).send(bob, "secret").expect(201)
    mine = api.as_user(third)
    assert mine.fetch_conversation().expect(200)["conversations"] == []
    mine.fetch_messages(conversation_id(alice.id, bob.id)).expect(404)
    delta = mine.fetch_updates(lastUpdatedTimestamp=0, timeout=0).expect(200)
    assert delta["messages"] == [] and delta["conversations"] == []
    for headers in ({"x-user-id": alice.id}, {"x-forwarded-user": alice.id}, {"cookie": f"sub={alice.id}"}):
        assert mine.fetch_conversation(headers=headers).expect(200)["conversations"] == []


# External issuers

ISSUERS = {"RS256": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
           "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
           "EdDSA": ed25519.Ed25519PrivateKey.generate}


@pytest.fixture(scope="module")
def issuers(stack, contract):
    """A server that trusts one issuer of each algorithm: (api, {algorithm: private key, PEM})."""
    keys, overrides = {}, {}
    for algorithm, generate in ISSUERS.items():
        key = generate()
        pem = key.public_key().public_bytes(serialization.Encoding.PEM,
                                            serialization.PublicFormat.SubjectPublicKeyInfo)
        path = stack.write_key(f"{algorithm}.pem", pem)
        keys[algorithm] = (key, pem)
        overrides[f"issuer {algorithm.lower()}"] = {"issuer": f"https://{algorithm}.example",
                                                    "algorithm": algorithm, "public_key_file": path,
                                                    "audience": "https://chat.example", "max_lifetime": 3600}
    overrides["issuer es256"]["allow_admin"] = "true"
    server = Parleyd(stack, overrides).start()
    api = Api(server.url, contract, stack.jwt_key)
    yield api, keys
    api.close()
    server.close()


def external(key, algorithm, user, issuer=None, **extra):
    payload = tokens.claims(user.id, **{"iss": issuer or f"https://{algorithm}.example", "aud": "https://chat.example", **extra})
    return jwt.encode(payload, key, algorithm=algorithm)


@pytest.mark.own_server
@pytest.mark.parametrize("algorithm", ISSUERS)
def test_issuer(issuers, alice, algorithm):
    api, keys = issuers
    key, _ = keys[algorithm]
    token = external(key, algorithm, alice)
    for _ in range(3):
        assert status(api, alice, token) == 200
    assert status(api, alice, external(key, algorithm, alice, exp=1)) == 401
    assert status(api, alice, external(key, algorithm, alice, issuer="https://other.example")) == 401
    assert status(api, alice, external(ISSUERS[algorithm](), algorithm, alice)) == 401, "another key"
    head, payload, signature = token.split(".")
    assert status(api, alice, f"{head}.{payload}.{signature[:-8]}AAAAAAAA") == 401
    assert status(api, alice, minted(api, alice)) == 200, "our own key is still valid"


@pytest.mark.own_server
def test_issuers_token_for_another_application(issuers, alice):
    api, keys = issuers
    for audience, expected in (("https://chat.example", 200), (["https://other.example", "https://chat.example"], 200),
                               (None, 401), ("https://other.example", 401), ([], 401), ("https://chat.example/", 401)):
        assert status(api, alice, external(keys["RS256"][0], "RS256", alice, aud=audience)) == expected, audience


@pytest.mark.own_server
def test_issuers_token_that_lives_too_long(issuers, alice):
    api, keys = issuers
    now = int(time.time())
    for issued, expires, expected in ((now, now + 3600, 200), (now, now + 3601, 401), (now - 3601, now + 1, 401), (None, now + 60, 401)):
        assert status(api, alice, external(keys["RS256"][0], "RS256", alice, iat=issued, exp=expires)) == expected


@pytest.mark.own_server
def test_issuers_admin(issuers, alice, bob):
    """Only an issuer that may name admins names admins. With another issuer the scope means something else."""
    api, keys = issuers
    for algorithm, expected in (("RS256", 403), ("EdDSA", 403), ("ES256", 201)):
        token = external(keys[algorithm][0], algorithm, alice, scope="openid admin")
        assert status(api, alice, token) == 200
        answer = api.request("POST", "/v1/messages", headers={"authorization": f"Bearer {token}"}, json_body={
            "recipientId": alice.id, "senderId": bob.id, "clientMessageId": unique("m"), "messageContent": "x"})
        answer.expect(expected)


@pytest.mark.own_server
@pytest.mark.parametrize("algorithm", ISSUERS)
def test_types_of_issuers_tokens(issuers, alice, algorithm):
    """An access token, and nothing else that an issuer may sign with the same key."""
    api, keys = issuers
    payload = tokens.claims(alice.id, iss=f"https://{algorithm}.example", aud="https://chat.example")
    for kind, expected in (("at+jwt", 200), ("application/at+jwt", 200), ("JWT", 200), ("logout+jwt", 401), ("secevent+jwt", 401)):
        token = jwt.encode(payload, keys[algorithm][0], algorithm=algorithm, headers={"typ": kind})
        assert status(api, alice, token) == expected, kind


@pytest.fixture(scope="module")
def two_keys(stack, contract):
    """A server whose key is being replaced: (api, the new key, the old key)."""
    new, old = b"n" * 40, b"o" * 40
    server = Parleyd(stack, {"auth": {"jwt_key_file": stack.write_key("new.key", new), "jwt_key_id": "new"},
                             "jwt_key old": {"file": stack.write_key("old.key", old)}}).start()
    api = Api(server.url, contract, new)
    yield api, new, old
    api.close()
    server.close()


@pytest.mark.own_server
def test_a_key_is_replaced(two_keys, alice):
    """One key signs, both verify. A kid of ours names the key; any other kid says nothing."""
    api, new, old = two_keys
    for key, name, expected in ((new, "new", 200), (old, "old", 200), (new, None, 200), (old, None, 200), (new, "x", 200), (old, "x", 200),
                                (new, "old", 401), (old, "new", 401), (b"x" * 40, None, 401), (b"x" * 40, "old", 401)):
        header = {"alg": "HS256", "typ": "JWT", **({"kid": name} if name else {})}
        assert status(api, alice, tokens.mint(key, alice.id, header=header)) == expected, name
    username = unique("u")
    api.as_user(None).create_user(username, password="correct horse battery").expect(201)
    token = api.as_user(None).create_session(username, "correct horse battery").expect(200, 201)["accessToken"]
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT", "kid": "new"}
    jwt.decode(token, new, algorithms=["HS256"])


@pytest.mark.own_server
@pytest.mark.parametrize("algorithm", ISSUERS)
def test_issuer_is_bound_to_its_key(issuers, alice, algorithm):
    api, keys = issuers
    for other in ISSUERS:
        if other != algorithm:
            token = external(keys[other][0], other, alice, issuer=f"https://{algorithm}.example")
            assert status(api, alice, token) == 401


@pytest.mark.own_server
@pytest.mark.parametrize("algorithm", ISSUERS)
def test_public_key_is_no_secret(issuers, alice, algorithm):
    """The confusion attack: HS256 with the public key's bytes as the secret."""
    api, keys = issuers
    _, pem = keys[algorithm]
    for secret in (pem, pem.rstrip(), pem.replace(b"\n", b"\r\n"),
                   base64.b64decode(b"".join(pem.splitlines()[1:-1]))):
        for header in ("HS256", algorithm):
            for issuer in (f"https://{algorithm}.example", None):
                token = tokens.mint(secret, alice.id, header={"alg": header, "typ": "JWT"}, iss=issuer)
                assert status(api, alice, token) == 401


@pytest.mark.own_server
def test_our_key_with_an_issuers_name(issuers, alice):
    api, _ = issuers
    for algorithm in ISSUERS:
        token = tokens.mint(api.key, alice.id, header={"alg": algorithm, "typ": "JWT"},
                            iss=f"https://{algorithm}.example")
        assert status(api, alice, token) == 401


def test_refusals_contain_nothing_of_the_token(api, alice):
    """Whatever the token is, the problem has no part of it."""
    token = minted(api, alice, exp=1)
    answer = api.request("GET", f"/v1/users/{alice.id}", headers={"authorization": f"Bearer {token}"})
    assert token not in json.dumps(answer.json) and answer.headers["www-authenticate"].startswith("Bearer")
