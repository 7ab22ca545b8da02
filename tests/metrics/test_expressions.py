from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amt_flows.metrics.expressions import lint, required_text, warnings
from amt_flows.metrics.reading import Reading, read_values, try_on
from amt_flows.spec import MetricDefinition, TrainingJobTemplate, metric_definitions
from amt_flows.spec.metric_definitions import definitions

# As their libraries print them, with the numbers of public examples.
KERAS_2 = """\
Epoch 1/10
  1/782 [.......] - ETA: 25:11 - loss: 2.3042 - accuracy: 0.0938
782/782 [=======] - 4s 2ms/step - loss: 0.2153 - accuracy: 0.9352 - val_loss: 0.1778 - val_accuracy: 0.9477
Epoch 2/10
 31/782 [>......] - ETA: 1s - loss: 0.1501 - accuracy: 0.9521
782/782 [=======] - 4s 2ms/step - loss: 9.1e-04 - accuracy: 0.9952 - val_loss: nan - val_accuracy: 0.9777
""".splitlines()
BAR = "\x1b[0m \x1b[32m━━━━━━━━━━━━━━━━━━━━\x1b[0m \x1b[1m"
KERAS_3 = f"""\
\x1b[1m  1/170{BAR}2:11\x1b[0m 780ms/step - accuracy: 0.2000 - loss: 1.6
\x1b[1m170/170{BAR}14s\x1b[0m 38ms/step - accuracy: 0.2675 - loss: 1.5784
\x1b[1m170/170{BAR}14s\x1b[0m 38ms/step - loss: 1.5784 - val_accuracy: 0.2644 - val_precision_1: 0.0000e+00
""".splitlines()
KERAS_VERBOSE_2 = ("Epoch 1/2", "294/294 - 10s - 36ms/step - accuracy: 0.9705 - auc: 0.9942 - loss: 0.1603")
MXNET = (
    "INFO:root:Epoch[0] Train-accuracy=0.710640",
    "INFO:root:Epoch[0] Time cost=3.347",
    "INFO:root:Epoch[0] Validation-accuracy=0.955000",
    "INFO:root:Epoch[1] Validation-accuracy=0.961000",
)
CHAINER_ENTRIES = (
    "epoch",
    "main/loss",
    "validation/main/loss",
    "main/accuracy",
    "validation/main/accuracy",
    "elapsed_time",
)
CHAINER = (
    "epoch       main/loss   validation/main/loss  main/accuracy  validation/main/accuracy  elapsed_time",
    "\x1b[J90          0.289549    0.282843              0.919443       0.920293                  153.543   ",
    "     total [#############.....................................] 27.33%",
    "\x1b[J91          0.289916    1.5e-05               0.919027       0.920688                  155.247   ",
    "\x1b[J92          0.289916                          0.919027                                 156.955   ",
)
XGBOOST = (
    "[20:56:24] INFO: ../src/tree/updater_prune.cc:101: tree pruning end, 40 extra nodes, 0 pruned nodes",
    "[0]\ttrain-rmse:8.09085\tvalidation-rmse:8.07085",
    "[1]\ttrain-rmse:6.61129\tvalidation-rmse:-6.5e-05",
)
LIGHTGBM = (
    "Training until validation scores don't improve for 50 rounds.",
    "[10]\ttraining's auc: 0.745269\tvalid_1's auc: 0.650945",
    "[20]\ttraining's auc: 0.758375\tvalid_1's auc: 0.657114",
    "[LightGBM] [Info] Iteration:30, training auc : 0.771373",
    "[LightGBM] [Info] Iteration:30, valid_1 auc : 0.662623",
)


@pytest.mark.parametrize(
    ("definition", "lines", "values"),
    [
        (metric_definitions.keras("val_accuracy"), KERAS_2, [0.9477, 0.9777]),
        (metric_definitions.keras("loss"), KERAS_2, [0.2153, 9.1e-04]),
        (metric_definitions.keras("val_accuracy"), KERAS_3, [0.2644]),
        (metric_definitions.keras("val_precision_1"), KERAS_3, [0.0]),
        (metric_definitions.keras("accuracy"), KERAS_VERBOSE_2, [0.9705]),
        (metric_definitions.keras("auc"), KERAS_VERBOSE_2, [0.9942]),
        (metric_definitions.mxnet("accuracy"), MXNET, [0.955, 0.961]),
        (metric_definitions.mxnet("accuracy", data="Train"), MXNET, [0.71064]),
        (metric_definitions.chainer_print_report("epoch", entries=CHAINER_ENTRIES), CHAINER, [90, 91]),
        (
            metric_definitions.chainer_print_report("validation/main/loss", entries=CHAINER_ENTRIES),
            CHAINER,
            [0.282843, 1.5e-05],
        ),
        (
            metric_definitions.chainer_print_report("elapsed_time", entries=CHAINER_ENTRIES),
            CHAINER,
            [153.543, 155.247],
        ),
        (
            metric_definitions.chainer_evaluator("main/accuracy"),
            ["{'main/loss': array(0.5, dtype=float32), 'main/accuracy': array(0.9375, dtype=float32)}"],
            [0.9375],
        ),
        (
            metric_definitions.chainer_evaluator("validation/main/loss"),
            ['    "validation/main/loss": 0.0776,'],
            [0.0776],
        ),
        (metric_definitions.xgboost("rmse"), XGBOOST, [8.07085, -6.5e-05]),
        (metric_definitions.xgboost("rmse", data="train"), XGBOOST, [8.09085, 6.61129]),
        (
            metric_definitions.xgboost("rmse"),
            ["[0]#011train-rmse:0.47#011validation-rmse:0.478049"],
            [0.478049],
        ),
        (metric_definitions.lightgbm("auc", data="valid_1"), LIGHTGBM, [0.650945, 0.657114, 0.662623]),
        (metric_definitions.lightgbm("auc", data="training"), LIGHTGBM, [0.745269, 0.758375, 0.771373]),
    ],
)
def test_ready_made_definitions_read_captured_output(
    definition: MetricDefinition, lines: list[str], values: list[float]
) -> None:
    assert read_values([definition], lines) == tuple(
        (definition.name, epoch, value) for epoch, value in enumerate(values, start=1)
    )
    assert lint(definition.regex) == []
    assert warnings(definition.regex) == []


def test_keras_nan_is_a_value() -> None:
    (_, first), (_, second) = [
        (e, v) for _, e, v in read_values([metric_definitions.keras("val_loss")], KERAS_2)
    ]
    assert first == 0.1778
    assert second != second


@pytest.mark.parametrize(
    ("regex", "said"),
    [
        ("acc: (", "not a regular expression"),
        ("acc: [0-9.]+", "no group"),
        (r"acc: (?:[0-9.]+)", "no group"),
        ("acc: (.*?)", """write acc["']?"""),
        (r"acc: (.+?)\s*", "as little as it can"),
        (r"acc: (\d{1,9}?)", "as little as it can"),
        (r"(?:acc: (.*?))", "as little as it can"),
        ("x" * 501, "500"),
    ],
)
def test_a_regex_that_can_not_work_is_found(regex: str, said: str) -> None:
    assert any(said in problem for problem in lint(regex)), lint(regex)
    assert warnings(regex) == []


@pytest.mark.parametrize(
    "regex",
    [
        r"acc: (\S+)",
        r"acc: (.*?);",
        r"acc: (.*?)$",
        r"acc: (.*?)(?:\s|$)",
        r"(?P<value>[-+0-9.einfa]+) is the loss",
        r"[(]acc: (\S+)[)]",
        r"\(acc\): (\S+)",
        r"[]x(]acc=(\S+)",
    ],
)
def test_a_sound_regex_raises_no_complaint(regex: str) -> None:
    assert lint(regex) == []
    assert warnings(regex) == []


@pytest.mark.parametrize(
    ("regex", "said"),
    [
        (r"acc: ([0-9\.]+)", ["a sign", "an exponent", "nan"]),
        (r"acc: ([-0-9\.]+)", ["an exponent", "nan"]),
        (r"acc: ([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)", ["nan"]),
        (r"loss.*([0-9.]+)", ["last digit"]),
    ],
)
def test_what_a_regex_would_miss_is_said(regex: str, said: list[str]) -> None:
    text = " ".join(warnings(regex))
    assert text
    for word in said:
        assert word in text


def test_the_objective_is_read_from_report_unless_it_is_defined() -> None:
    plain = TrainingJobTemplate(command=("x",))
    (own,) = definitions(plain, "validation:accuracy")
    assert own.name == "validation:accuracy"
    assert try_on([own], "amt-report epoch=1; validation:accuracy=0.5;") == (Reading(own.name, "0.5", 0.5),)
    loss = MetricDefinition(name="loss", regex=r"loss=(\S+)")
    assert definitions(TrainingJobTemplate(metric_definitions=(loss,)), "loss") == (loss,)
    both = definitions(TrainingJobTemplate(metric_definitions=(loss,)), "acc")
    assert [d.name for d in both] == ["acc", "loss"]


def test_an_objective_that_report_can_not_name_needs_a_definition() -> None:
    with pytest.raises(ValueError, match="must not contain ' '"):
        definitions(TrainingJobTemplate(command=("x",)), "my accuracy")


def test_trying_on_a_line_tells_a_miss_from_a_text() -> None:
    defined = [MetricDefinition(name=n, regex=f"{n}=(\\S+)") for n in ("a", "b", "c")]
    assert try_on(defined, "a=1e-3 b=high") == (
        Reading("a", "1e-3", 0.001),
        Reading("b", "high", None),
        Reading("c", None, None),
    )


def test_an_optional_group_that_takes_no_part_is_a_miss() -> None:
    assert try_on([MetricDefinition(name="a", regex="a(=[0-9]+)?")], "a") == (Reading("a", None, None),)


@pytest.mark.parametrize(
    ("regex", "text"),
    [
        (r"acc: (\S+)", "acc: "),
        (r"amt-report (?:.*; )?validation:accuracy=(\S+);", "validation:accuracy="),
        (r"\[[0-9]+\].*validation-auc:(\S+)", "validation-auc:"),
        (r"los+es: (\d+)", "es: "),
        (r"colou?r=(\d+)", "colo"),
        (r"ab{2,3}c=(\d+)", "c="),
        (r"val|acc=(\d+)", ""),
        (r"(?:val|acc)=(\d+)", "="),
        (r"(?i)acc=(\d+)", ""),
        (r"\x41cc=(\d+)", ""),
        (r"acc\.=(\d+)", "acc.="),
        (r"[]abc]xyz(\d)", "xyz"),
        (r'{"loss": (\d+)', '"loss": '),
        (r"(\d+)", ""),
    ],
)
def test_the_text_that_every_match_has(regex: str, text: str) -> None:
    assert required_text(regex) == text


PIECES = st.sampled_from(
    [
        *"abc=: ",
        r"\d",
        r"\.",
        ".",
        "[ab]",
        "[^]a]",
        "(a)",
        "(?:b|c)",
        "(b)?",
        "a*",
        "b+",
        "c?",
        "a{0,2}",
        "b{2}",
        "^",
        "$",
        "(?=a)",
        r"\s",
    ]
)


@given(regex=st.lists(PIECES, max_size=8).map("".join), line=st.text("abc=: .1", max_size=12))
def test_no_matching_line_lacks_the_required_text(regex: str, line: str) -> None:
    if re.search(regex, line):
        assert required_text(regex) in line


@given(
    regex=st.text(st.sampled_from(r"ab1.*+?|()[]{}\^$:=-d"), max_size=14), line=st.text("ab1=d", max_size=10)
)
def test_any_regex_can_be_judged(regex: str, line: str) -> None:
    try:
        match = re.search(regex, line)
    except (re.error, FutureWarning):
        return
    lint(regex)
    warnings(regex)
    if match:
        assert required_text(regex) in line
