"""The little Markdown that parley.yaml's descriptions use, as HTML.

Paragraphs, pipe tables, `code`, **bold** and [links](#anchors). Operation names (fetchUser) and nothing else
become links by themselves. All other text is escaped, so a description cannot bring markup of its own.
"""

import html
import re

INLINE = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*|\[([^\]]+)\]\((#[A-Za-z0-9-]+)\)|\b([a-z]+[A-Z][A-Za-z]+)\b")


def inline(text, operations=()):
    """One line's text; `operations` are the operationIds that may be linked to."""
    out, end = [], 0
    for match in INLINE.finditer(text):
        code, bold, label, target, word = match.groups()
        if word and word not in operations:
            continue
        out.append(html.escape(text[end:match.start()], quote=False))
        end = match.end()
        if code is not None:
            out.append(f"<code>{html.escape(code, quote=False)}</code>")
        elif bold is not None:
            out.append(f"<strong>{inline(bold, operations)}</strong>")
        elif label is not None:
            out.append(f'<a href="{target}">{inline(label)}</a>')
        else:
            out.append(f'<a href="#{word}">{word}</a>')
    out.append(html.escape(text[end:], quote=False))
    return "".join(out)


def cells(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def table(lines, operations):
    head = "".join(f"<th>{inline(cell, operations)}</th>" for cell in cells(lines[0]))
    rows = [
        "<tr>" + "".join(f"<td>{inline(cell, operations)}</td>" for cell in cells(line)) + "</tr>"
        for line in lines[2:]
    ]
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def block(text, operations=()):
    """Paragraphs and tables, separated by empty lines."""
    out = []
    for part in re.split(r"\n\s*\n", (text or "").strip()):
        lines = part.split("\n")
        if not part:
            continue
        if lines[0].startswith("|"):
            out.append(table(lines, operations))
        else:
            out.append(f"<p>{inline(' '.join(line.strip() for line in lines), operations)}</p>")
    return "\n".join(out)
