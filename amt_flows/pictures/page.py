"""The report as one HTML file that needs nothing else: no server, no network, no script."""

from __future__ import annotations

import html
from typing import Final

from amt_flows.ledger import Ledger
from amt_flows.pictures.overview import pictures
from amt_flows.render.report import report_markdown
from amt_flows.results import TuningResult

_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 62rem; margin: 2rem auto; }
body { padding: 0 1rem; }
h1, h2, h3 { line-height: 1.25; margin: 1.8em 0 .6em; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; border-bottom: 1px solid #ddd; padding-bottom: .2em; }
table { border-collapse: collapse; display: block; overflow-x: auto; font-size: .87rem; }
th, td { border: 1px solid #ddd; padding: .3em .6em; text-align: left; vertical-align: top; }
td { white-space: nowrap; } td code { overflow-wrap: normal; }
th { background: #f6f6f6; } tr:nth-child(even) td { background: #fafafa; }
code { background: #f3f3f3; padding: .1em .3em; border-radius: 3px; overflow-wrap: anywhere; }
pre { background: #f3f3f3; padding: .8em; overflow-x: auto; } pre code { padding: 0; background: none; }
figure { margin: 1.2rem 0; } figure svg { max-width: 100%; height: auto; }
@media print { body { max-width: none; margin: 0; } }
"""

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""For the browser: whatever a hyperparameter's value or a log holds, the page loads and runs nothing."""


def report_page(ledger: Ledger, result: TuningResult) -> str:
    """An HTML document. Raises PicturesNotInstalled."""
    shown = "".join(
        f"<figure><figcaption><h2>{picture.title}</h2></figcaption>{picture.svg}</figure>"
        for picture in pictures(ledger)
    )
    head, _, rest = report_markdown(ledger, result, charts=False).partition("\n\n## ")
    title = html.escape(f"{result.name}: {result.headline}")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head>\n"
        f"<body>\n{_html(head)}\n{shown}\n{_html('## ' + rest)}\n</body></html>\n"
    )


def _html(markdown: str) -> str:
    from markdown_it import MarkdownIt

    # Tags in the text (a failure's message, a parameter's name) are shown, not obeyed.
    rendered: str = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown)
    return rendered
