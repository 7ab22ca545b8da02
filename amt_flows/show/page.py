"""The report as one HTML file that needs nothing else: no server, no network, no script."""

from __future__ import annotations

import html
from typing import Final

from amt_flows.ledger.ledger import Ledger
from amt_flows.results import TuningResult
from amt_flows.show.job_table import job_table, table_style
from amt_flows.show.pictures.overview import pictures
from amt_flows.show.report import report_markdown
from amt_flows.show.text import visible

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #222; --paper: #fff; --line: #ddd; }
:root { --soft: #f5f5f5; --mark: #fff3c4; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ddd; --paper: #16181c; --line: #3a3d44; --soft: #22252b; --mark: #4d4415; }
  svg .ink { fill: #ccc; } svg .faint { stroke: #363a41; } svg .axis { stroke: #888; }
  a { color: #8ab8ff; } figure svg { filter: brightness(1.4); }
}
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
body { max-width: 68rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere; }
h1, h2, h3 { line-height: 1.25; margin: 1.8em 0 .6em; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; border-bottom: 1px solid var(--line); }
h2 { padding-bottom: .2em; }
table { border-collapse: collapse; display: block; overflow-x: auto; font-size: .87rem; }
th, td { border: 1px solid var(--line); padding: .3em .6em; text-align: left; vertical-align: top; }
td { white-space: nowrap; } td code { overflow-wrap: normal; }
th { background: var(--soft); }
code { background: var(--soft); padding: .1em .3em; border-radius: 3px; overflow-wrap: anywhere; }
pre { background: var(--soft); padding: .8em; overflow-x: auto; }
pre code { padding: 0; background: none; overflow-wrap: normal; }
figure { margin: 1.2rem 0; overflow-x: auto; } figure svg { width: 100%; max-width: 62rem; height: auto; }
figure a:hover > * { filter: brightness(1.35); stroke-width: 3; }
.scrolled { overflow: auto; max-height: 80vh; border: 1px solid var(--line); font-size: .84rem; }
.jobs { display: grid; grid-template-columns: repeat(var(--columns), auto); overflow-wrap: normal; }
.row { display: grid; grid-template-columns: subgrid; grid-column: 1 / -1; order: 0; }
.row > div { padding: .25em .6em; white-space: nowrap; border-bottom: 1px solid var(--line); }
.head { order: -100000; position: sticky; top: 0; background: var(--soft); z-index: 1; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.head > div { position: relative; }
.jobs input { appearance: none; width: 0; height: 0; margin: 0; border: 0; outline: 0; }
.jobs label { cursor: pointer; opacity: .45; }
.jobs input:checked + label, .jobs label:hover { opacity: 1; }
.jobs input:focus-visible + label { outline: 2px solid; }
.failed > div { opacity: .75; } .job:target { background: var(--mark); scroll-margin: 5em; }
figcaption { position: sticky; left: 0; }
@media (max-width: 40rem) {
  body { margin: .5rem auto; padding: 0 .6rem; font-size: 14px; }
  figure svg { min-width: 36rem; }
}
@media (max-width: 37rem) {
  figcaption::after { content: "Wider than the screen: swipe it to see the rest. →"; opacity: .75; }
}
@media print { body { max-width: none; margin: 0; } .scrolled { max-height: none; } }
"""

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""For the browser: whatever a hyperparameter's value or a log holds, the page loads and runs nothing."""


def report_page(ledger: Ledger, result: TuningResult) -> str:
    """An HTML document."""
    shown = "".join(
        f"<figure><figcaption><h2>{html.escape(picture.title)}</h2></figcaption>{picture.svg}</figure>"
        for picture in pictures(ledger)
    )
    report = report_markdown(ledger, result, charts=False, local_links=True, leaderboard=False)
    head, _, rest = report.partition("\n\n## ")
    body = f"{_html(head)}\n{shown}\n{job_table(result)}\n{_html('## ' + rest)}"
    return document(f"{result.name}: {result.headline}", body, table_style(result))


def document(title: str, body: str, style: str = "") -> str:
    """An HTML document that loads and runs nothing. ``title`` is text, ``body`` HTML."""
    title = html.escape(visible(title))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}{style}</style></head>\n"
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
