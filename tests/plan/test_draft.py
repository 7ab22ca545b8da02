"""What `init` makes of a training script: every value by hand, from the script's text alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from amt_flows.errors import AmtFlowsError
from amt_flows.metrics.reading import read_values
from amt_flows.plan.draft import Draft, Wanted, draft_of
from amt_flows.space.space import Scaling
from amt_flows.spec import CategoricalRange, ContinuousRange, IntegerRange, TuningSpec
from commands import cli, ok

PRINTS = 'print(f"accuracy={0.5}")\n'
RATE = 'add("--rate", type=float, default=0.001)\n'


@pytest.fixture
def draft(tmp_path: Path) -> Drafted:
    return Drafted(tmp_path)


class Drafted:
    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def __call__(self, arguments: str = RATE, printed: str = PRINTS, wanted: Wanted | None = None) -> Draft:
        script = self.directory / "train.py"
        lines = arguments.replace("add(", "arguments.add_argument(")
        script.write_text(f"import argparse\narguments = argparse.ArgumentParser()\n{lines}{printed}")
        made = draft_of(script, self.directory, wanted or Wanted())
        # What a person would load is what was shown.
        (self.directory / "tuning.toml").write_text(made.text)
        loaded = TuningSpec.load(self.directory / "tuning.toml")
        assert loaded == made.spec.anchored(self.directory.resolve())
        return made


def test_defaults_choices_and_flags_become_ranges_and_the_first_configuration(draft: Drafted) -> None:
    spec = draft(
        RATE
        + 'add("-b", "--batch-size", type=int, default=64)\n'
        + 'add("--optimizer", choices=["sgd", "adam"], default="adam")\n'
        + 'add("--width", type=int, choices=[8, 16], default=8)\n'
        + 'add("--nesterov", action="store_true")\n'
        + 'add("--bias", action=argparse.BooleanOptionalAction, default=True)\n'
    ).spec
    assert spec.continuous == (
        ContinuousRange(name="rate", min_value=1e-5, max_value=0.1, scaling_type=Scaling.LOGARITHMIC),
    )
    assert spec.integer == (
        IntegerRange(name="batch-size", min_value=16, max_value=256, scaling_type=Scaling.LOGARITHMIC),
    )
    assert spec.categorical == (
        CategoricalRange(name="optimizer", values=("sgd", "adam")),
        CategoricalRange(name="width", values=("8", "16")),
        CategoricalRange(name="nesterov", values=("false", "true")),
        CategoricalRange(name="bias", values=("false", "true")),
    )
    assert spec.training_job.flags == ("nesterov", "bias/no-bias")
    first = {
        "rate": "0.001",
        "batch-size": "64",
        "optimizer": "adam",
        "width": "8",
        "nesterov": "false",
        "bias": "true",
    }
    assert spec.first_configurations == (first,)


@pytest.mark.parametrize(
    "line",
    [
        'add("--seed", type=int, default=1)',
        'add("--data-dir", default="data")',
        'add("--epochs", type=int, default=10)',
        'add("--sizes", type=int, nargs="+", default=[1, 2])',
        'add("-k", type=int, default=3)',
        'add("--momentum", type=float)',
        'add("--scale", type=lambda text: float(text), default=1.0)',
        'add("--verbose", action="store_true")',
        'add("--count", action="count", default=0)',
        'add("--one-of-many", choices=list("abc") * 20)',
    ],
)
def test_what_says_how_a_script_runs_or_can_not_be_told_is_left_at_its_default(
    draft: Drafted, line: str
) -> None:
    made = draft(f"{RATE}{line}\n")
    assert [one.name for one in made.spec.continuous] == ["rate"]
    assert not made.spec.integer
    assert not made.spec.categorical
    assert "Left at their defaults: --" in " ".join(made.notes)


def test_clicks_options_and_a_modules_constants_are_read(draft: Drafted) -> None:
    spec = draft(
        "RATE = 1e-3\n@click.command()\n"
        '@click.option("--rate", type=float, default=RATE)\n@click.option("--layers", default=2)\n'
        '@click.option("--depth", type=click.IntRange(1, 4), default=3)\n'
        '@click.option("--dropout", type=click.FloatRange(max=0.3), default=0.2)\n'
        '@click.option("--bias/--no-bias", default=True)\n'
        '@click.option("--kind", type=click.Choice(["a", "b"]))\n'
        "def main(): ...\n"
    ).spec
    assert [one.min_value for one in spec.continuous] == [1e-5, 0.0]
    assert spec.continuous[1].max_value == 0.3, "what the script refuses is not searched"
    assert [one.name for one in spec.integer] == ["layers", "depth"]
    assert (spec.integer[1].min_value, spec.integer[1].max_value) == (1, 4)
    assert [one.name for one in spec.categorical] == ["bias", "kind"]
    assert spec.training_job.flags == ("bias/no-bias",)
    assert not spec.first_configurations, "kind has no default"


@pytest.mark.parametrize(
    ("printed", "metric", "direction"),
    [
        ('print(f"epoch {e} train_acc: {a:.4f} val_acc: {b:.4f}")', "val_acc", "Maximize"),
        ('print("loss: %.3f" % x)', "loss", "Minimize"),
        ('print("rmse={:.3f}".format(x))', "rmse", "Minimize"),
        ('print("accuracy:", x)', "accuracy", "Maximize"),
        ('logging.info("val_loss=%s", x)', "val_loss", "Minimize"),
        ('print({"f1": x})', "f1", "Maximize"),
        ('print(f"neg_mean_squared_error={x}")', "neg_mean_squared_error", "Maximize"),
        ('print(json.dumps({"auc": x, "epoch": e}))', "auc", "Maximize"),
        ('print(f"loss={x}")\nprint(f"test_acc={y}")\nprint(f"val_loss={y}")', "test_acc", "Maximize"),
    ],
)
def test_the_objective_is_what_is_printed_and_is_found_in_it(
    draft: Drafted, printed: str, metric: str, direction: str
) -> None:
    made = draft(printed=f"{printed}\n")
    assert (made.spec.objective.metric_name, made.spec.objective.type.value) == (metric, direction)
    assert made.spec.early_stopping.type.value == "Off"
    values = {"e": 3, "a": 0.25, "b": 0.75, "x": 0.75, "y": 0.75}
    said: list[str] = []
    scope = {
        **values,
        "print": lambda *words: said.append(" ".join(map(str, words))),
        "logging": type("logging", (), {"info": lambda text, *words: said.append(text % words)}),
        "json": json,
    }
    exec(printed, scope)
    read = read_values(made.spec.training_job.metric_definitions, said)
    assert read == ((metric, 1, 0.75),)


def test_a_loop_that_prints_has_early_stopping_and_report_needs_no_expression(draft: Drafted) -> None:
    told = draft(printed="for epoch in range(9):\n    report(epoch=epoch, accuracy=1)\n").spec
    assert told.early_stopping.type.value == "Auto"
    assert not told.training_job.metric_definitions
    assert told.objective.metric_name == "accuracy"


def test_what_the_user_says_goes_before_what_the_script_says(draft: Drafted) -> None:
    wanted = Wanted("loss", {"rate": "0.01", "epochs": "8"}, {"data": "rows.csv"})
    spec = draft(
        f'{RATE}add("--epochs", type=int, default=3)\nadd("--data", required=True)\n',
        'print(f"accuracy={a}", f"loss={b}")\n',
        wanted,
    ).spec
    assert (spec.objective.metric_name, spec.objective.type.value) == ("loss", "Minimize")
    assert spec.static_hyperparameters == {"data": "rows.csv"}
    assert (spec.continuous[0].min_value, spec.continuous[0].max_value) == (0.0001, 1.0)
    assert [one.name for one in spec.integer] == ["epochs"]
    assert spec.first_configurations == ({"rate": "0.01", "epochs": "8"},)


@pytest.mark.parametrize(
    ("arguments", "printed", "wanted", "said"),
    [
        (f'{RATE}add("--data", required=True)\n', PRINTS, Wanted(), "--fixed NAME=VALUE"),
        ('add("--seed", type=int, default=1)\n', PRINTS, Wanted(), r"no argument to search among --seed"),
        ("", PRINTS, Wanted(), "no argument to search"),
        (RATE, "train()\n", Wanted(), "--metric NAME"),
        (RATE, PRINTS, Wanted(hints={"raet": "1"}), "no argument --raet; did you mean rate"),
        (f'{RATE}add("corpus")\n', PRINTS, Wanted(), "takes corpus by position"),
        (RATE, "def broken(:\n", Wanted(), r"is no Python 3\.\d+, line 4"),
    ],
)
def test_what_can_not_be_drafted_says_what_to_give(
    draft: Drafted, arguments: str, printed: str, wanted: Wanted, said: str
) -> None:
    with pytest.raises(AmtFlowsError, match=said):
        draft(arguments, printed, wanted)


def test_what_has_no_arguments_and_a_way_of_its_own_is_led_there(tmp_path: Path) -> None:
    hydra, notebook = tmp_path / "train.py", tmp_path / "train.ipynb"
    hydra.write_text("import hydra\n@hydra.main(config_name='config')\ndef main(config): ...\n")
    notebook.write_text('{"cells": [], "nbformat": 4}')
    for script, way in ((hydra, "docs/tools.md"), (notebook, "amt_flows.tune")):
        with pytest.raises(AmtFlowsError, match=way):
            draft_of(script, tmp_path, Wanted())


# -- the command --------------------------------------------------------------------------------------------


def test_init_reads_the_script_and_never_runs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    marker = f"open({str(tmp_path / 'ran')!r}, 'w')\n"
    Path("train.py").write_text(f"{marker}{RATE.replace('add(', 'p.add_argument(')}{PRINTS}")
    assert "amt-flows run tuning.toml" in ok("init")
    assert not Path("ran").exists()
    assert "accuracy" in ok("plan", "tuning.toml")
    before = Path("tuning.toml").read_text()
    refused = cli("init", "train.py", "--hint", "rate=0.1")
    assert refused.exit_code == 1
    assert "--force" in refused.stderr
    assert Path("tuning.toml").read_text() == before
    assert ok("init", "train.py", "--output", "-") == before
    ok("init", "train.py", "--hint", "rate=0.1", "--force")
    assert Path("tuning.toml").read_text() != before


def test_the_example_tunes_as_it_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AMT_FLOWS_HOME", str(tmp_path / "home"))
    ok("init", "--example")
    said = ok("try", "tuning.toml")
    assert "Found accuracy = 0.8" in said
    assert cli("init", "--example").exit_code == 1, "neither file is written over"
    Path("other.py").write_text("p.add_argument('--x')")
    several = cli("init", "--output", "new.toml")
    assert "other.py" in several.stderr
    assert "train.py" in several.stderr


def test_without_a_script_it_says_how_to_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "init --example" in cli("init").stderr
    assert "init --example" in cli("init", "train.sh").stderr
    assert cli("init", "--hint", "rate").exit_code == 2
