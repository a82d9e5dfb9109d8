"""Mints tokens, as an integrator and as an attacker would."""

import base64
import hashlib
import hmac
import json
import time


def b64(data):
    if isinstance(data, (dict, list)):
        data = json.dumps(data, separators=(",", ":")).encode()
    if isinstance(data, str):
        data = data.encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def claims(user_id, lifetime=3600, **extra):
    now = int(time.time())
    value = {"sub": str(user_id), "iat": now, "exp": now + lifetime}
    value.update(extra)
    return {k: v for k, v in value.items() if v is not None}


def sign_hs256(key, header, payload, digest=hashlib.sha256):
    signing_input = f"{b64(header)}.{b64(payload)}"
    return f"{signing_input}.{b64(hmac.new(key, signing_input.encode(), digest).digest())}"


def mint(key, user_id, lifetime=3600, header=None, **extra):
    """A valid token, unless the caller changes its claims: an extra claim replaces the default, None removes it."""
    return sign_hs256(key, header or {"alg": "HS256", "typ": "JWT"}, claims(user_id, lifetime, **extra))


def unsigned(user_id, algorithm="none"):
    return f"{b64({'alg': algorithm, 'typ': 'JWT'})}.{b64(claims(user_id))}."
