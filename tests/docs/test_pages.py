"""The pages of the documentation: their code runs, their messages exist, their links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from amt_flows.cli.input import load_spec
from amt_flows.spec import TuningSpec
from pages import ROOT, block, blocks, page

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DOCS = ROOT / "docs"
RECIPES = page("docs/recipes.md")
SOURCE = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "amt_flows").rglob("*.py"))

SMALLEST = """
[objective]
metric_name = "validation:accuracy"

[[continuous]]
name = "rate"
min_value = 0.1
max_value = 0.9
"""


# Started as they should be, with a server and a simulated SageMaker: tests/flows/test_recipe_pipelines.py
# and test_recipe_sagemaker.py.
ELSEWHERE = ("# chain.py", "# schedule.py", "# pack.py")


@pytest.mark.parametrize(
    "code",
    [code for code in blocks(RECIPES, "python") if not code.startswith(ELSEWHERE)],
    ids=lambda code: code.splitlines()[0][:40],
)
def test_the_recipes_run(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(code, {"__name__": "recipe"})


@pytest.mark.parametrize("code", blocks(RECIPES, "toml"), ids=lambda code: code.splitlines()[0][:40])
def test_the_settings_are_settings(code: str) -> None:
    given = tomllib.loads(code)
    whole = {**tomllib.loads(SMALLEST), "limits": {"max_number_of_training_jobs": 1}, **given}
    whole["training_job"] = {"command": ["train"], **given.get("training_job", {})}
    if "function" in whole["training_job"]:
        del whole["training_job"]["command"]
    TuningSpec.parse(whole)


def test_a_function_is_tuned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "objective.py").write_text(block(RECIPES, "python", "# objective.py"))
    (tmp_path / "function.toml").write_text(block(RECIPES, "toml", "# function.toml"))
    command = [sys.executable, "-m", "amt_flows", "run", "function.toml", "--home", str(tmp_path / "home")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "6 of 6 training jobs launched (6 completed)" in done.stdout


def test_the_commands_of_the_recipes_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "tuning.toml").write_text(f'{SMALLEST}\n[training_job]\ncommand = "train"\n')
    for line in "\n".join(blocks(RECIPES, "sh")).splitlines():
        changes = re.findall(r"--set (\S+)", line)
        if changes:
            limit = "limits.max_number_of_training_jobs=2"
            load_spec(str(tmp_path / "tuning.toml"), [*changes, limit], "any")


def test_every_message_is_one_of_ours() -> None:
    text = page("docs/troubleshooting.md")
    messages = re.findall(r"^\| (?:Prefect: )?`([^`]+)`", text, re.MULTILINE)
    assert len(messages) > 12
    flat = re.sub(r'"\s*f?"', "", SOURCE)
    assert [text for text in messages if text not in flat] == []


def pages() -> list[Path]:
    return [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]


def without_code(page: str) -> str:
    return re.sub(r"^```.*?^```$", "", page, flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Where a link can lead within a page: its headings, as GitHub spells them."""
    headings = re.findall(r"^#+ (.+?) *$", without_code(page.read_text(encoding="utf-8")), re.MULTILINE)
    slugs = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
    return {f"{slug}-{slugs[:i].count(slug)}" if slug in slugs[:i] else slug for i, slug in enumerate(slugs)}


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text(encoding="utf-8"))):
        if "://" not in link:
            target, _, anchor = link.partition("#")
            file = page.parent / target if target else page
            assert file.exists(), f"{page.name} links to {link}"
            assert not anchor or anchor in anchors(file), f"{page.name} links to {link}"


def test_every_page_can_be_found_from_the_readme() -> None:
    reached, fresh = set[Path](), {ROOT / "README.md"}
    while fresh:
        page = fresh.pop()
        reached.add(page)
        links = re.findall(r"\]\(([^)#\s]+\.md)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        fresh |= {(page.parent / link).resolve() for link in links if "://" not in link} - reached
    assert set(DOCS.rglob("*.md")) <= reached
