"""Makes every figure a link to itself, so that a small screen can open it at full size."""

import re
from typing import Any

from mkdocs.exceptions import PluginError

FIGURE = re.compile(r"<img\b[^>]*>")


def on_page_content(content: str, page: Any, **unused: Any) -> str:
    """MkDocs's hook. A figure that says nothing to those who do not see it is an error."""

    def linked(match: re.Match[str]) -> str:
        found = dict(re.findall(r'(alt|src)="([^"]+)"', match[0]))
        if found.keys() != {"alt", "src"}:
            raise PluginError(f"{page.file.src_path}: a figure without alt text: {match[0]}")
        return f'<a class="figure" href="{found["src"]}">{match[0]}</a>'

    return FIGURE.sub(linked, content)
