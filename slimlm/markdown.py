"""Text for pages that may come from a link, a file or a field."""

import re

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!<>|~$:&-])")


def plain(text: str) -> str:
    """Escape foreign text, so that Markdown shows it as it is."""
    return _MARKDOWN.sub(r"\\\1", text)
