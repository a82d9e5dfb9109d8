"""The docs page: one static page of HTML that loads nothing and runs nothing.

Every operation, parameter, field, status, example and schema of the document is on it. A problem's `type`,
/docs#problem-<code>, leads to the section with that id.
"""

import json

from document import METHODS
from markdown import block, inline
from schema_view import (
    escape,
    fields_table,
    is_object,
    json_html,
    name_cell,
    schema_name,
    schema_section,
    type_html,
    value_cells,
)


def words(document, text):
    return inline(" ".join((text or "").split()), document.operation_ids)


def anchor_heading(level, identifier, content):
    return f'<h{level}><a href="#{identifier}">{content}</a></h{level}>'


def path_html(path):
    return escape(path).replace("{", '<span class="variable">{').replace("}", "}</span>")


def code_block(title, content, kind="json"):
    return f'<figure class="{kind}"><figcaption>{title}</figcaption><pre tabindex="0"><code>{content}</code></pre></figure>'


# ---- what a client sends ----


def parameters_of(document, operation):
    return [document.follow(node) for node in operation.node.get("parameters", [])]


def parameters_html(document, operation):
    parameters = parameters_of(document, operation)
    if not parameters:
        return ""
    body = "".join(
        "<tr>"
        + name_cell(parameter["name"], parameter.get("required", False), f' <span class="place">{parameter["in"]}</span>')
        + value_cells(document, parameter["schema"], parameter.get("description", ""))
        + "</tr>"
        for parameter in parameters
    )
    return (
        "<h4>Parameters</h4>"
        '<div class="scroll"><table class="fields"><thead><tr><th>parameter</th><th>type</th><th>meaning</th></tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def body_html(document, operation):
    body = operation.node.get("requestBody")
    if body is None:
        return ""
    schema = body["content"]["application/json"]["schema"]
    note = document.follow(schema).get("description", "")
    return (
        f"<h4>Body <span>{type_html(document, schema)}</span></h4>"
        + (f"<p>{words(document, note)}</p>" if note else "")
        + fields_table(document, schema)
    )


def authentication_html(operation, default):
    schemes = operation.node.get("security", default)
    names = [name for scheme in schemes for name in scheme]
    if not names:
        return "No token is needed."
    links = " or ".join(f'<a href="#security-{name}">{name}</a>' for name in names)
    return f"Token ({links}) is optional." if {} in schemes else f"Needs a token: {links}."


def query_string(operation, parameters):
    path = operation.path
    query = []
    for parameter in parameters:
        example = parameter.get("example")
        if parameter["in"] == "path":
            path = path.replace("{" + parameter["name"] + "}", str(example))
        elif parameter["in"] == "query" and parameter.get("required"):
            value = ",".join(example) if isinstance(example, list) else example
            query.append(f"{parameter['name']}={value}")
    return path + ("?" + "&".join(query) if query else "")


SETTING_UP = """PARLEY=http://127.0.0.1:8080
TOKEN=$(curl -s "$PARLEY/v1/sessions" -H 'Content-Type: application/json' \\
  -d '{"username": "ada", "password": "correct-horse-ada"}' | sed -n 's/.*"accessToken":"\\([^"]*\\)".*/\\1/p')"""


def curl_html(document, operation, default):
    """A command that works where $PARLEY is the server and $TOKEN an access token."""
    security = operation.node.get("security", default)
    stream = "text/event-stream" in document.responses(operation)[0][1].get("content", {})
    target = query_string(operation, parameters_of(document, operation))
    method = operation.method.upper()
    # curl sends GET by itself, and POST if there is a body.
    implied = "POST" if operation.node.get("requestBody") is not None else "GET"
    options = ("-N " if stream else "") + ("" if method == implied else f"-X {method} ")
    lines = [f'curl {options}"$PARLEY{target}"']
    if security and {} not in security:
        lines.append('-H "Authorization: Bearer $TOKEN"')
    body = operation.node.get("requestBody")
    if body is not None:
        lines.append("-H 'Content-Type: application/json'")
        value = document.examples(body["content"]["application/json"])[0][2]
        lines.append(f"-d '{json.dumps(value, ensure_ascii=False)}'")
    return code_block("Request", escape(" \\\n  ".join(lines)), "shell")


# ---- what it gets ----


def event_text(name, data):
    """A server-sent event as it is on the wire. The cursor is the id; an event without a cursor has no id."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    event_id = f"id: {data['lastUpdatedTimestamp']}\n" if "lastUpdatedTimestamp" in data else ""
    return f"event: {name}\n{event_id}data: {text}\n"


def request_examples(document, operation):
    content = operation.node.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return ""
    return "".join(
        code_block(f"Body: {escape(summary)}", json_html(value)) for _, summary, value in document.examples(content)
    )


def response_examples(document, operation):
    out = []
    for status, response in document.responses(operation):
        for media_type, content in response.get("content", {}).items():
            if media_type == "application/problem+json":
                continue
            for key, summary, value in document.examples(content):
                title = f'<b class="status">{status}</b> {escape(summary)}'
                if media_type == "text/event-stream":
                    out.append(code_block(title, escape(event_text(key, value)), "shell"))
                else:
                    out.append(code_block(title, json_html(value)))
    return "".join(out)


def headers_html(document, response):
    items = []
    for name, node in response.get("headers", {}).items():
        header = document.follow(node)
        items.append(f"<li><code>{name}</code> {words(document, header.get('description'))}</li>")
    return f'<ul class="headers">{"".join(items)}</ul>'


def success_html(document, status, response):
    content = response.get("content", {})
    kinds = []
    for media_type, media in content.items():
        schema = media["schema"]
        kind = type_html(document, schema) if schema_name(schema) and is_object(document, schema) else ""
        kinds.append(f"<code>{media_type}</code> {kind}")
    return (
        f'<div class="response"><p><b class="status">{status}</b> {words(document, response["description"])} '
        f'{" ".join(kinds)}</p>{headers_html(document, response)}</div>'
    )


def problems_html(document, failures):
    body = []
    for status, response in failures:
        codes = " ".join(
            f'<a href="#problem-{code}"><code>{code}</code></a>' for code in document.problem_codes(response)
        )
        extra = [name for name in response["headers"] if name != "X-Request-Id"]
        note = f' <span class="limits">with {", ".join(f"<code>{name}</code>" for name in extra)}</span>' if extra else ""
        body.append(
            f'<tr><td><b class="status">{status}</b></td><td class="codes">{codes}</td>'
            f"<td>{words(document, response['description'])}{note}</td></tr>"
        )
    return (
        '<div class="scroll"><table class="problems"><thead><tr><th>status</th><th>code</th><th>when</th></tr></thead>'
        f'<tbody>{"".join(body)}</tbody></table></div>'
    )


def operation_html(document, operation):
    default = document.root["security"]
    successes = [pair for pair in document.responses(operation) if pair[0] < "4"]
    failures = [pair for pair in document.responses(operation) if pair[0] >= "4"]
    return f"""
<section class="operation" id="{operation.id}">
{anchor_heading(3, operation.id, escape(operation.node["summary"]))}
<p class="call"><b class="{operation.method}">{operation.method.upper()}</b> <code>{path_html(operation.path)}</code>
<span class="operation-id">{operation.id}</span></p>
<div class="columns"><div class="text">
{block(operation.node.get("description"), document.operation_ids)}
<p class="authentication">{authentication_html(operation, default)}</p>
{parameters_html(document, operation)}
{body_html(document, operation)}
<h4>Responses</h4>
{"".join(success_html(document, *pair) for pair in successes)}
<details><summary>{len(failures)} statuses for problems</summary>{problems_html(document, failures)}</details>
</div><div class="examples">
{curl_html(document, operation, default)}
{request_examples(document, operation)}
{response_examples(document, operation)}
</div></div>
</section>"""


# ---- the sections after the operations ----


def problem_example(document, code):
    for operation in document.operations:
        for _, response in document.responses(operation):
            content = response.get("content", {}).get("application/problem+json", {})
            for key, summary, value in document.examples(content):
                if key == code:
                    return code_block(escape(summary), json_html(value))
    return ""


def problem_section(document, code, problem):
    raised_by = [
        operation.id
        for operation in document.operations
        if any(code in document.problem_codes(response) for _, response in document.responses(operation))
    ]
    if len(raised_by) == len(document.operations):
        users = "any operation"
    elif raised_by:
        users = ", ".join(f'<a href="#{name}">{name}</a>' for name in raised_by)
    else:
        users = "a path that no operation has"
    return f"""
<section class="problem" id="problem-{code}">
{anchor_heading(3, f"problem-{code}", f'<b class="status">{problem["status"]}</b> <code>{code}</code>')}
<div class="columns"><div class="text">
<p><strong>{escape(problem["title"])}.</strong> {words(document, problem["meaning"])}</p>
<p><strong>What to do.</strong> {words(document, problem["remedy"])}</p>
<p class="limits">Answered by {users}.</p>
</div><div class="examples">{problem_example(document, code)}</div></div>
</section>"""


def security_section(document, name, scheme):
    where = (
        "<code>Authorization: Bearer &lt;token&gt;</code>"
        if scheme["type"] == "http"
        else f"<code>Cookie: {escape(scheme['name'])}=&lt;token&gt;</code>"
    )
    return (
        f'<section class="security" id="security-{name}">{anchor_heading(3, f"security-{name}", name)}'
        f"<p>{where}</p>{block(scheme['description'], document.operation_ids)}</section>"
    )


def navigation(document):
    out = ['<a class="title" href="#top">Parley</a>']
    for tag in document.root["tags"]:
        items = "".join(
            f'<li><a href="#{operation.id}"><b class="{operation.method}">{operation.method.upper()}</b>'
            f"<span>{operation.id}</span></a></li>"
            for operation in document.operations
            if operation.node["tags"] == [tag["name"]]
        )
        out.append(f'<h2>{tag["name"]}</h2><ul>{items}</ul>')
    out.append(
        '<h2>Reference</h2><ul><li><a href="#authentication">Authentication</a></li>'
        '<li><a href="#problems">Problems</a></li><li><a href="#schemas">Schemas</a></li>'
        '<li><a href="/openapi.json">openapi.json</a></li></ul>'
    )
    return "\n".join(out)


def operations_html(document):
    out = []
    for tag in document.root["tags"]:
        identifier = f"tag-{tag['name'].lower()}"
        out.append(f'<section class="tag" id="{identifier}">{anchor_heading(2, identifier, tag["name"])}')
        out.append(f"<p>{escape(tag['description'])}</p>")
        out += [
            operation_html(document, operation)
            for operation in document.operations
            if operation.node["tags"] == [tag["name"]]
        ]
        out.append("</section>")
    return "\n".join(out)


def render(document, style):
    """The whole page. `style` is the text of its one style element."""
    assert all(method in METHODS for item in document.root["paths"].values() for method in item)
    info = document.root["info"]
    components = document.root["components"]
    problems = "".join(problem_section(document, *pair) for pair in document.problems.items())
    schemas = "\n".join(schema_section(document, *pair) for pair in components["schemas"].items())
    security = "".join(security_section(document, *pair) for pair in components["securitySchemes"].items())
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(info["title"])} API</title>
<style>{style}</style>
</head>
<body id="top">
<nav aria-label="Contents">
{navigation(document)}
</nav>
<main>
<header>
<h1>{escape(info["title"])} <small>{escape(info["version"])}</small></h1>
<p class="summary">{escape(info["summary"])}</p>
{block(info["description"], document.operation_ids)}
<p>The commands below need <code>PARLEY</code>, this server's address, and <code>TOKEN</code>, an access token: the
<code>accessToken</code> that <a href="#createSession">createSession</a> answers.</p>
{code_block("Before the commands", escape(SETTING_UP), "shell")}
<p>The document itself is <a href="/openapi.json">openapi.json</a> (OpenAPI {document.root["openapi"]}).</p>
</header>
{operations_html(document)}
<section class="tag" id="authentication">{anchor_heading(2, "authentication", "Authentication")}
{security}</section>
<section class="tag" id="problems">{anchor_heading(2, "problems", "Problems")}
<p>Every error is an <code>application/problem+json</code>: a <a href="#schema-Problem">Problem</a>, whose
<code>type</code> leads to one of these sections.</p>
{problems}</section>
<section class="tag" id="schemas">{anchor_heading(2, "schemas", "Schemas")}
{schemas}</section>
</main>
</body>
</html>
"""
