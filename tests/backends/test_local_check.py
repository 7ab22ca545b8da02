"""What ``LocalBackend.check`` finds before anything runs, and that it changes nothing."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import pytest

from amt_flows.backends.function_job.loading import stored_at
from amt_flows.backends.local import LocalBackend
from amt_flows.backends.local.check import missing
from amt_flows.spec import ContinuousRange, Objective, TrainingJobTemplate, TuningSpec


def problems(
    tmp_path: Path, metric: str = "acc", root: Path | None = None, **template: Any
) -> dict[str, str]:
    """Field -> message of what is wrong with a template (not validated, as if from an older version)."""
    fine = {"command": ("python", "-c", "pass"), "working_directory": str(tmp_path)}
    job = TrainingJobTemplate().model_copy(update={**fine, **template})
    spec = TuningSpec(
        name="t",
        objective=Objective(metric_name="acc"),
        continuous=(ContinuousRange(name="rate", min_value=0.1, max_value=1),),
        limits={"max_number_of_training_jobs": 1},
        training_job=TrainingJobTemplate(command=("true",)),
    )
    spec = spec.model_copy(update={"training_job": job, "objective": Objective(metric_name=metric)})
    before = sorted(tmp_path.rglob("*"))
    found = {
        problem.field: problem.message for problem in LocalBackend(root or tmp_path / "root").check(spec)
    }
    assert sorted(tmp_path.rglob("*")) == before
    return found


def test_nothing_is_wrong_with_a_sound_spec(tmp_path: Path) -> None:
    (tmp_path / "train.py").touch()
    (tmp_path / "data").mkdir()
    assert problems(tmp_path) == {}
    assert problems(tmp_path, command=("python3", "train.py", "--save", "model.py")) == {}
    assert problems(tmp_path, command=("sh", "-c", "x"), inputs={"train": str(tmp_path / "data")}) == {}
    assert problems(tmp_path, inputs={"train": f"file://{tmp_path}/data"}) == {}


@pytest.mark.parametrize(
    ("template", "field", "said"),
    [
        ({"command": ()}, "training_job.command", "`python train.py`"),
        ({"function": "json:dumps"}, "training_job.function", "not both"),
        ({"command": ("no-such-program",)}, "training_job.command", "not on the PATH"),
        ({"command": ("./train.sh",)}, "training_job.command", "no such program"),
        ({"command": ("./closed.sh",)}, "training_job.command", "chmod +x"),
        ({"command": ("python", "-u", "trian.py")}, "training_job.command", "no such script"),
        ({"working_directory": "/no/such"}, "training_job.working_directory", "is no directory"),
        ({"inputs": {"train": "s3://bucket/x"}}, "training_job.inputs.train", "copy the data here"),
        ({"inputs": {"train": "/no/such"}}, "training_job.inputs.train", "no such file or directory"),
        ({"inputs": {"..": "/tmp"}}, "training_job.inputs...", "1 to 64 letters"),
        ({"environment": {"A=B": "c"}}, "training_job.environment", "variable's name"),
    ],
)
def test_what_is_wrong_is_said_with_its_field(
    tmp_path: Path, template: dict[str, Any], field: str, said: str
) -> None:
    (tmp_path / "closed.sh").touch(mode=0o644)
    found = problems(tmp_path, **template)
    assert said in found[field]


def test_the_path_of_the_job_counts(tmp_path: Path) -> None:
    (tmp_path / "tool").touch(mode=0o755)
    assert problems(tmp_path, command=("tool",), environment={"PATH": str(tmp_path)}) == {}
    assert problems(tmp_path, command=("sh",), environment={"PATH": str(tmp_path)})


def test_a_regex_that_can_not_work(tmp_path: Path) -> None:
    from amt_flows.spec import MetricDefinition

    sound, lazy = (MetricDefinition(name=n, regex=r) for n, r in (("acc", r"acc (\S+)"), ("b", "b: (.*?)")))
    found = problems(tmp_path, metric_definitions=(sound, lazy))
    assert list(found) == ["training_job.metric_definitions[1].regex"]


def test_an_objective_that_no_line_can_name(tmp_path: Path) -> None:
    assert "must not contain ' '" in problems(tmp_path, metric="my accuracy")["objective.metric_name"]


# -- functions ----------------------------------------------------------------------------------------


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package whose code must not run: it would end the test."""
    boom = "raise SystemExit('the code of the user ran')\n"
    (tmp_path / "shop" / "deep").mkdir(parents=True)
    (tmp_path / "shop/__init__.py").write_text(boom)
    (tmp_path / "shop/deep/__init__.py").write_text(boom)
    sorts = "def fit(rate): ...\nclass Trainer: ...\nif 1:\n    async def later(): ...\n"
    (tmp_path / "shop/deep/train.py").write_text(boom + sorts + "from json import dumps as d\n")
    (tmp_path / "shop/star.py").write_text(boom + "from json import *\n")
    (tmp_path / "shop/broken.py").write_text("def (\n")
    (tmp_path / "loose").mkdir()
    (tmp_path / "loose/mod.py").write_text("x = lambda: 1\n")
    return tmp_path


@pytest.mark.parametrize(
    "target",
    [
        "shop.deep.train:fit",
        "shop.deep.train:Trainer.fit",
        "shop.deep.train:later",
        "shop.deep.train:d",
        "shop.star:anything",
        "shop.broken:anything",  # its own traceback says more
        "loose.mod:x",
        "json:dumps",
        "json.decoder:JSONDecoder",
        "math:sqrt",
        "numpy.linalg:norm",
    ],
)
def test_a_function_that_is_there(package: Path, target: str) -> None:
    imported = set(sys.modules)
    assert problems(package, command=(), function=target) == {}
    assert not {name for name in set(sys.modules) - imported if name.split(".")[0] in ("shop", "loose")}


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("shop.deep.train", "write `package.module:function`"),
        ("shop.deep train:x", "write `package.module:function`"),
        ("shop.deep.train:missing", "defines no 'missing'"),
        ("shop.nowhere:fit", "there is no module 'shop.nowhere'"),
        ("nowhere:fit", "there is no module 'nowhere'"),
        ("json.nowhere:fit", "there is no module 'json.nowhere'"),
        ("shop.deep.trian:fit", "write `shop.deep.train:fit`"),
        ("shopp.deep.train:fit", "write `shop.deep.train:fit`"),
        ("numpy.linlag:norm", "write `numpy.linalg:norm`"),
        ("shop.deep.train:fti", "write `shop.deep.train:fit`"),
    ],
)
def test_a_function_that_is_not(package: Path, target: str, said: str) -> None:
    assert said in problems(package, command=(), function=target)["training_job.function"]


@pytest.mark.parametrize(
    "command",
    [
        ("sh", "-c", "python train.py --rate 0.5; true"),
        ("/bin/bash", "-lc", "python gone.py"),
        ("env", "OUT=gone.py", "python", "train.py"),
        ("python", "-m", "json", "--out", "gone.py"),
        ("python", "-W", "ignore", "train.py", "gone.py"),
        ("python", "-c", "print(1)", "gone.py"),
    ],
)
def test_what_only_looks_like_the_script_of_a_command_is_not_looked_for(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "train.py").touch()
    assert problems(tmp_path, command=command) == {}
    template = TrainingJobTemplate().model_copy(
        update={"command": command, "working_directory": str(tmp_path)}
    )
    assert missing(template, tmp_path) is None


def test_a_misspelt_module_or_script_is_answered_with_the_one_that_was_meant(package: Path) -> None:
    (package / "train.py").touch()
    found = problems(package, command=("python", "trian.py"), warm=("pydantik", "shop.deeep"))
    assert "write `train.py`" in found["training_job.command"]
    assert "write `pydantic`" in found["training_job.warm[0]"]
    assert "write `shop.deep`" in found["training_job.warm[1]"]


# -- the root -----------------------------------------------------------------------------------------


def test_a_root_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = problems(tmp_path, root=tmp_path / "file" / "root")
    assert "can't be written to" in found["backend.root"]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a file system without files of ours")
def test_a_root_that_can_not_be_written_to(tmp_path: Path) -> None:
    assert "can't be written to" in problems(tmp_path, root=Path("/proc/root"))["backend.root"]


def test_a_root_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", refuse)
    assert "hard links" in problems(tmp_path)["backend.root"]


def test_a_kept_function_is_looked_at_again_once_its_file_has_changed(tmp_path: Path) -> None:
    content = b"a function"
    target = f"value:train:{hashlib.sha256(content).hexdigest()}"
    file = stored_at(tmp_path, target)
    assert file is not None
    file.parent.mkdir()
    template = TrainingJobTemplate(function=target)

    def kept(text: bytes, mode: int = 0o600) -> str:
        file.write_bytes(text)
        file.chmod(mode)
        return missing(template, tmp_path) or ""

    assert [kept(content), kept(content)] == ["", ""]
    assert "another hash" in kept(b"another one")
    assert kept(content) == ""
    assert "by others" in kept(content, 0o644)
    file.unlink()
    assert "can't be read" in (missing(template, tmp_path) or "")
