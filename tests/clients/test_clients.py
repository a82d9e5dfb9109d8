"""Clients that seven generators make of the document are exact and compile. Chats written with two of them, and with the
code of docs/clients.md, work over HTTP/1.1 and HTTP/2, directly and through the edge."""

import pytest

from conftest import CLIENTS, GENERATORS, run_node

CHATS = ("chat_openapi_fetch", "chat_hey_api", "chat_guide")
# Name: whether the client goes through the edge, and its protocol.
WAYS = {"http1": (False, "http1"), "h2c": (False, "h2c"), "edge-http1": (True, "http1"), "edge-h2": (True, "h2")}


def find_untyped(*files):
    return run_node(CLIENTS / "find_untyped.mjs", *files, cwd=CLIENTS)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("generator", GENERATORS)
def test_models_have_no_any_and_no_unknown(models, generator):
    result = find_untyped(*models[generator])
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("planted", [
    "export type A = any;",
    "export interface A { inside: { deep: unknown[] } }",
    "export type A = { [key: string]: object };",
    "export interface components { schemas: { A: { b?: unknown } } }",
    "const A = z.object({ b: z.unknown() });",
    "export const A = z.array(z.any());",
])
def test_planted_untyped_models_are_found(tmp_path, planted):
    path = tmp_path / "models.ts"
    path.write_text("export type Fine = string;\n" + planted + "\n", encoding="utf-8")
    result = find_untyped(path)
    assert result.returncode == 1 and "models.ts:2: " in result.stdout


def test_code_besides_models_may_be_untyped(tmp_path):
    path = tmp_path / "models.ts"
    path.write_text("export interface components { schemas: { A: string }; headers: { [name: string]: unknown } }\n"
                    "export function parse(text: string): unknown { return JSON.parse(text) as any; }\n", encoding="utf-8")
    assert find_untyped(path).returncode == 0


@pytest.mark.timeout(400)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("chat", CHATS)
def test_chat(stack, programs, chat, way):
    through_edge, protocol = WAYS[way]
    result = run_node(
        programs / f"{chat}.js", cwd=programs, PARLEY_URL=stack.edge_url if through_edge else stack.url,
        PARLEY_PROTOCOL=protocol, NODE_EXTRA_CA_CERTS=stack.env["PARLEY_CA"])
    assert result.returncode == 0 and result.stdout.endswith("done\n"), result.stdout
