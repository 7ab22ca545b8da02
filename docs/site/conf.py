"""The pages as a site, by Sphinx: `.ci/docs` builds it strictly, and says how it is looked at.

The pages lie where they are read without a site too; their links are those of the checkout. What a site needs
besides is here: its order of pages, a page made from the public modules, and a drawing's picture.
"""

from __future__ import annotations

import re
import sys
from importlib import import_module
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "docs"))
from make_diagrams import FENCE, is_of, picture_of  # noqa: E402

project = "amt-flows"
version = release = version_of("amt-flows")
copyright = "the authors of amt-flows, Apache-2.0"
root_doc = "README"
include_patterns = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/**.md", "docs/site/python.rst"]
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]

html_theme = "furo"
html_title = "amt-flows"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False

myst_heading_anchors = 4
myst_enable_extensions = ["deflist"]
suppress_warnings = ["myst.header"]  # a recipe's page may begin below its title

copybutton_exclude = ".linenos, .gp"
autodoc_default_options = {"exclude-members": "model_config"}
autodoc_member_order = "groupwise"
autodoc_typehints = "signature"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88

PARTS = {
    "Guides": "guide functions notebook coming_from prefect deploying mlflow backends sagemaker simulator"
    " algorithms spaces stopping explain troubleshooting",
    "Recipes": "recipes tools recipes/*",
    "Reference": "concepts reference cli api site/python",
    "How it is": "promises faults security figures optimiser dependencies licences architecture",
}
"""The site's order: a title and its pages below docs/."""

INTRODUCTION = """\
Python, from the code
=====================

Made from the code: signatures with their types, and what each name says of itself. When you have read a
name's entry you know what it takes and in which unit, what it gives and what it raises. What is public, in
short: :doc:`../api`; the fields of a spec: :doc:`../reference`.
"""

OTHERS = ("CONTRIBUTING", "CHANGELOG")


def _with_contents(text: str) -> str:
    """The first page, with what leads to all others, for the bar at the side alone."""
    parts = []
    for title, names in PARTS.items():
        pages = [f"docs/{name}" for name in names.split()]
        if title == "How it is":
            pages += OTHERS
        globbed = [page for page in pages if page.endswith("*")]
        options = [":hidden:", f":caption: {title}", *([":glob:"] if globbed else [])]
        parts.append("\n".join(["```{toctree}", *options, "", *pages, "```"]))
    return text + "\n\n" + "\n\n".join(parts) + "\n"


def _with_pictures(text: str, page: str) -> str:
    def picture(drawing: re.Match[str]) -> str:
        path = picture_of(page)
        if not path.exists() or not is_of(path, drawing[1]):
            raise ExtensionError(f"{path.name} is not of the drawing in {page}: python docs/make_diagrams.py")
        return f"![](/docs/images/{path.name})"

    return FENCE.sub(picture, text)


def _source(app: Sphinx, page: str, source: list[str]) -> None:
    source[0] = _with_pictures(source[0], page)
    if page == root_doc:
        source[0] = _with_contents(source[0])


def _to_files(app: Sphinx, document: nodes.document) -> None:
    """A link to a file of the checkout that is no page is its name: a site has no such file."""
    for link in list(document.findall(lambda node: node.tagname == "download_reference")):
        link.replace_self(nodes.literal(text=link.get("reftarget", "")))


def _index(app: Sphinx, error: Exception | None) -> None:
    """Where a browser and a server look first."""
    if error is None and app.builder.name == "html":
        refresh = '<meta http-equiv="refresh" content="0; url=README.html">'
        Path(app.outdir, "index.html").write_text(f"<!doctype html>{refresh}\n", encoding="utf-8")


def _docstring(app: Sphinx, what: str, name: str, it: Any, options: Any, lines: list[str]) -> None:
    """Fields say what they are in Markdown, for the form and the reference; Prefect adds an example of its
    own to a block's docstring, in Markdown too."""
    text = "\n".join(lines)
    text = re.sub(r"^( *)```\w+\n(.*?)^ *```$", _indented, text, flags=re.DOTALL | re.MULTILINE)
    if what in ("attribute", "data", "property"):
        text = re.sub(r"(?<![`:\w])`([^`\n]+)`(?!`)(?=(\w)?)", _literal, text)
    lines[:] = text.split("\n")


def _indented(fence: re.Match[str]) -> str:
    return f"{fence[1]}::\n\n" + "".join(f"    {line}\n" for line in fence[2].splitlines())


def _literal(it: re.Match[str]) -> str:
    return f"``{it[1]}``" + ("\\ " if it[2] else "")


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("source-read", _source)
    app.connect("autodoc-process-docstring", _docstring, priority=400)  # before napoleon
    app.connect("build-finished", _index)
    app.connect("doctree-read", _to_files)
    return {"parallel_read_safe": True}


def _python_page() -> str:
    modules = re.findall(r"^## `([\w.]+)`$", (ROOT / "docs/api.md").read_text(encoding="utf-8"), re.MULTILINE)
    homes: dict[int, str] = {}
    for module in modules[1:] + modules[:1]:  # the package itself repeats what its rooms have
        for _, value in _public(module):
            homes.setdefault(id(value), module)
    parts = [INTRODUCTION]
    for module in modules:
        own = [name for name, value in _public(module) if homes[id(value)] == module]
        others = [
            f":py:obj:`{name} <{homes[id(value)]}.{name}>`"
            for name, value in _public(module)
            if homes[id(value)] != module
        ]
        parts += [
            module,
            "-" * len(module),
            "",
            f".. automodule:: {module}",
            f"   :members: {', '.join(own)}",
            "",
        ]
        if others:
            parts += [f"Also from here: {', '.join(others)}.", ""]
    return "\n".join(parts)


def _public(module: str) -> list[tuple[str, Any]]:
    it = import_module(module)
    return [(name, getattr(it, name)) for name in it.__all__]


# It is in nobody's checkout: written when the site is built.
(ROOT / "docs/site/python.rst").write_text(_python_page(), encoding="utf-8")
