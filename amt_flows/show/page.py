"""The report as one HTML file that needs nothing else: no server, no network, no script."""

from __future__ import annotations

import html
from typing import Final

from amt_flows.ledger.ledger import Ledger
from amt_flows.results import TuningResult
from amt_flows.show.pictures.overview import pictures
from amt_flows.show.report import report_markdown
from amt_flows.show.text import visible

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
    report = report_markdown(ledger, result, charts=False, local_links=True)
    head, _, rest = report.partition("\n\n## ")
    return document(f"{result.name}: {result.headline}", f"{_html(head)}\n{shown}\n{_html('## ' + rest)}")


def document(title: str, body: str) -> str:
    """An HTML document that loads and runs nothing. ``title`` is text, ``body`` HTML."""
    title = html.escape(visible(title))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head>\n"
        f"<body>\n{body}\n</body></html>\n"
    )


def _html(markdown: str) -> str:
    from markdown_it import MarkdownIt

    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    # It refuses every link to a file; the page is one itself, beside the logs and models that it tells of.
    reader.validateLink = lambda url: url.startswith(("https://", "http://", "file:///"))  # type: ignore[method-assign]
    # Tags in the text (a failure's message, a parameter's name) are shown, not obeyed.
    rendered: str = reader.render(markdown)
    return rendered
