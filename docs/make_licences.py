"""Writes docs/licences.md: what `pip install amt-flows` brings, and its licences, as the packages say.

    pip install . && python docs/make_licences.py

The packages are those of the environment that this runs in: make it in one that holds nothing else.
"""

from __future__ import annotations

from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PAGE = Path(__file__).with_name("licences.md")

INTRODUCTION = """\
# Licences of what it stands on

All packages that `pip install amt-flows` brings, with what their own metadata say; extras bring more. At its
end your lawyer knows what is installed. Written by `python docs/make_licences.py`; why each direct one is
worth it: [what it stands on](dependencies.md).

| package | licence |
|---|---|
"""


def brought(root: str) -> dict[str, Distribution]:
    """The packages that ``root`` needs without an extra, and what those need, by name, as installed here."""
    found: dict[str, Distribution] = {}
    waiting: list[tuple[str, frozenset[str]]] = [(root, frozenset())]
    seen = set(waiting)
    while waiting:
        name, extras = waiting.pop()
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue  # a marker of another platform, or Python
        found[canonicalize_name(name)] = package
        for text in package.requires or ():
            it = Requirement(text)
            if it.marker is None or any(it.marker.evaluate({"extra": extra}) for extra in extras or {""}):
                one = (it.name, frozenset(it.extras))
                if one not in seen:
                    seen.add(one)
                    waiting.append(one)
    found.pop(canonicalize_name(root))
    return found


def licence(package: Distribution) -> str:
    """By its expression (PEP 639), else its classifiers, else the first line of what it calls its licence."""
    about = package.metadata
    if expression := about.get("License-Expression"):
        return str(expression)
    classifiers = [
        text.rsplit(" :: ", 1)[-1]
        for text in about.get_all("Classifier") or ()
        if text.startswith("License ::")
    ]
    text = (about.get("License") or "").strip().splitlines()
    return ", ".join(classifiers) or (text[0] if text else "not said")


def main() -> None:
    rows = [f"| {name} | {licence(package)} |" for name, package in sorted(brought("amt-flows").items())]
    PAGE.write_text(INTRODUCTION + "\n".join(rows) + "\n", encoding="utf-8")
    print(f"{PAGE.name}: {len(rows)} packages")


if __name__ == "__main__":
    main()
