"""Pieces of Markdown that the pages are made of."""


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def settings(those):
    """The sizes of a part's run, and the command that made it."""
    return (f"`{those['command']}`: {those['made']}, {those['machine']}, {those['cores']} cores, PostgreSQL {those['postgresql']}: "
            f"{those['users']:,} users with {2 * those['peers']} conversations of {those['messages']} messages,\n"
            f"chosen by Zipf's law; messages of {those['content_bytes']} bytes; "
            f"{those['clients']} connections over HTTP/1.1,\n8 with 25 requests at once on each over h2c; "
            f"{those['repeats']} run{'s' if those['repeats'] > 1 else ''} of {those['seconds']:g} s.")


def section(title, those, body):
    return f"## {title}\n\n{settings(those)}\n\n{body}"
