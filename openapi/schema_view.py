"""Schemas and JSON values as HTML: tables of fields, limits in words, examples in colour."""

import html
import json
import re

from markdown import inline

TOKEN = re.compile(r'("(?:[^"\\]|\\.)*")(\s*:)?|(\b(?:true|false|null)\b)|(-?\b\d+(?:\.\d+)?\b)')


def escape(text):
    return html.escape(str(text), quote=False)


def json_html(value):
    """A JSON value, indented, with its tokens marked for the style sheet."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    out, end = [], 0
    for match in TOKEN.finditer(text):
        string, colon, literal, number = match.groups()
        out.append(escape(text[end:match.start()]))
        end = match.end()
        if string is not None and colon is not None:
            out.append(f'<span class="key">{escape(string)}</span>{colon}')
        elif string is not None:
            out.append(f'<span class="string">{escape(string)}</span>')
        else:
            out.append(f'<span class="number">{escape(literal or number)}</span>')
    out.append(escape(text[end:]))
    return "".join(out)


def schema_name(node):
    """The name of the named schema that this one is, or None."""
    reference = node.get("$ref", "")
    prefix = "#/components/schemas/"
    return reference.removeprefix(prefix) if reference.startswith(prefix) else None


def is_object(document, node):
    full = document.follow(node)
    return full.get("type") == "object" or "oneOf" in full


def link(name):
    return f'<a href="#schema-{name}">{name}</a>'


def type_html(document, node):
    """What a value is, in a word or two; named objects are links to their section."""
    name = schema_name(node)
    if name is not None and is_object(document, node):
        return link(name)
    full = document.follow(node)
    if "const" in full:
        return f"<code>{escape(json.dumps(full['const']))}</code>"
    if name is not None and len(full.get("enum", [])) > 5:
        return link(name)
    if "enum" in full:
        return " or ".join(f"<code>{escape(json.dumps(value))}</code>" for value in full["enum"])
    if full.get("type") == "array":
        return f"array of {type_html(document, full['items'])}"
    if name is not None:
        return f"{full['type']} {link(name)}"
    return full.get("type", "any")


def limits(full):
    """Ranges, lengths, patterns and defaults in words. Where the description has a limit in bytes, it is the true one."""
    out = []
    in_bytes = "bytes" in full.get("description", "")
    for low, high, unit in (
        ("minimum", "maximum", ""),
        ("minLength", "maxLength", " characters"),
        ("minItems", "maxItems", " items"),
    ):
        if in_bytes and low == "minLength":
            continue
        if low in full and high in full and full[low] == full[high]:
            out.append(f"{full[low]}{unit}")
        elif low in full and high in full:
            out.append(f"{full[low]} to {full[high]}{unit}")
        elif (low, full.get(low)) == ("minLength", 1):
            out.append("not empty")
        elif low in full:
            out.append(f"at least {full[low]}{unit}")
        elif high in full:
            out.append(f"at most {full[high]}{unit}")
    if "pattern" in full:
        out.append(f"<code>{escape(full['pattern'])}</code>")
    if "default" in full:
        out.append(f"default {escape(json.dumps(full['default']))}")
    return ", ".join(out)


def value_cells(document, node, description=None):
    """The cells "type" and "meaning" of a table's row."""
    full = document.follow(node)
    words = description if description is not None else full.get("description", "")
    limit = "" if is_object(document, node) else limits(full)
    meaning = inline(" ".join(words.split()), document.operation_ids)
    if limit:
        meaning += f' <span class="limits">{limit}</span>'
    return f'<td class="type">{type_html(document, node)}</td><td>{meaning}</td>'


def name_cell(name, required, note=""):
    mark = "" if required else '<span class="optional">optional</span>'
    return f'<td class="name"><code>{escape(name)}</code>{note}{mark}</td>'


def rows(document, schema):
    """The fields of an object; of a oneOf, each choice under its name."""
    full = document.follow(schema)
    if "oneOf" in full:
        out = []
        for choice in full["oneOf"]:
            out.append(f'<tr class="choice"><th colspan="3">{link(schema_name(choice))}</th></tr>')
            out.append(rows(document, choice))
        return "".join(out)
    required = full.get("required", [])
    return "".join(
        f"<tr>{name_cell(name, name in required)}{value_cells(document, node)}</tr>"
        for name, node in full.get("properties", {}).items()
    )


def fields_table(document, schema):
    return (
        '<div class="scroll"><table class="fields"><thead><tr><th>field</th><th>type</th><th>meaning</th></tr></thead>'
        f"<tbody>{rows(document, schema)}</tbody></table></div>"
    )


def schema_section(document, name, schema):
    """The section of a named schema."""
    words = schema.get("description", "")
    out = [f'<section class="schema" id="schema-{name}"><h3><a href="#schema-{name}">{name}</a></h3>']
    if words:
        out.append(f"<p>{inline(' '.join(words.split()), document.operation_ids)}</p>")
    if schema.get("type") == "object" or "oneOf" in schema:
        out.append(fields_table(document, schema))
    elif name == "ProblemCode":
        codes = " ".join(f'<a href="#problem-{code}"><code>{code}</code></a>' for code in schema["enum"])
        out.append(f'<p class="codes">{codes}</p>')
    else:
        limit = limits(document.follow(schema))
        kind = type_html(document, schema)
        out.append(f'<p>{kind}{", " if limit else ""}<span class="limits">{limit}</span></p>')
    out.append("</section>")
    return "\n".join(out)
