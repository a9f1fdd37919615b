"""Turns the formulas of every page into MathML as the pages are built.

Browsers draw MathML themselves, so that a page needs no script and nothing from the network.
"""

import html
import re
from typing import Any

from latex2mathml.converter import convert
from mkdocs.exceptions import PluginError

FORMULA = re.compile(
    r'<(?P<tag>div|span) class="arithmatex">\\[\[(](?P<latex>.*?)\\[\])]</(?P=tag)>', re.DOTALL
)


def on_page_content(content: str, page: Any, **unused: Any) -> str:
    """MkDocs's hook: replaces what arithmatex has marked. A formula it cannot read is an error."""

    def formula(match: re.Match[str]) -> str:
        latex = html.unescape(match["latex"]).strip()
        found = convert(latex, display="block" if match["tag"] == "div" else "inline")
        # What it does not know it passes on as it stands.
        if "\\" in found or "<mi>&</mi>" in found:
            raise PluginError(f"{page.file.src_path}: cannot write as MathML: {latex}")
        return f'<{match["tag"]} class="formula">{found}</{match["tag"]}>'

    return FORMULA.sub(formula, content)
