"""What becomes of a local training job's output: its log, and the metric values read from it."""

from __future__ import annotations

import itertools
import math
import re
import select
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amt_flows.backends.local_worker.output import LAST_BYTES, Output
from amt_flows.backends.local_worker.values import Values
from amt_flows.metrics.expressions import required_text
from amt_flows.metrics.lines import LINE_BYTES
from amt_flows.ports import JobState
from amt_flows.spec import MetricDefinition, metric_definitions

if TYPE_CHECKING:
    from backends.conftest import Site

LOSS = MetricDefinition(name="loss", regex=r"loss[=:] *(\S+)")


def test_stdout_and_stderr_are_both_read(site: Site) -> None:
    report = site.run(site.sh("echo 'amt-report acc=0.5;'; echo 'amt-report acc=0.75;' >&2"))
    assert site.values(report.name) == [0.5, 0.75]


def test_nan_and_infinity_are_values(site: Site) -> None:
    name = site.run(site.sh('for v in nan inf -inf 1e-300; do echo "amt-report acc=$v;"; done')).name
    first, *rest = site.values(name)
    assert math.isnan(first)
    assert rest == [math.inf, -math.inf, 1e-300]


def test_text_that_is_no_number_is_no_value(site: Site) -> None:
    name = site.run(site.sh("echo loss=high; echo loss=0.5", metric_definitions=(LOSS,))).name
    assert site.values(name, "loss") == [0.5]


def test_several_metrics_count_their_own_epochs(site: Site) -> None:
    script = "for v in 1 2 3; do echo loss=$v; [ $v = 2 ] && echo 'amt-report acc=0.5;'; done; true"
    name = site.run(site.sh(script, metric_definitions=(LOSS,))).name
    assert site.values(name, "loss") == [1, 2, 3]
    assert site.values(name) == [0.5]


def test_garbage_does_no_harm(site: Site) -> None:
    name = site.run(
        site.sh(r"printf '\377\376 amt-report acc=0.5; \000\303\n\200amt-report acc=0.75;\n'")
    ).name
    assert site.values(name) == [0.5, 0.75]


def test_a_progress_bar_has_a_line_for_each_carriage_return(site: Site) -> None:
    script = r"for v in 3 2 1; do printf '\b\b\b\b\r%d/3 [==>] - loss: 0.%d' $v $v; done"
    name = site.run(site.sh(script, metric_definitions=(LOSS,))).name
    assert site.values(name, "loss") == [0.3, 0.2, 0.1]


def test_the_last_line_needs_no_end(site: Site) -> None:
    assert site.values(site.run(site.sh("printf 'amt-report acc=0.5;'")).name) == [0.5]


def test_a_line_in_pieces_is_one_line(site: Site) -> None:
    name = site.run(site.sh("printf 'amt-rep'; sleep 0.1; printf 'ort acc=0.'; sleep 0.1; echo '5;'")).name
    assert site.values(name) == [0.5]


def test_a_very_long_line_is_searched_at_its_beginning(site: Site) -> None:
    script = (
        "import sys; w = sys.stdout.write\n"
        "w('amt-report acc=0.5;' + 'x' * 9_000_000 + 'amt-report acc=0.1;\\n')\n"
        "w('x' * 70_000 + 'amt-report acc=0.2;\\n'); w('amt-report acc=0.75;\\n')"
    )
    assert site.values(site.run(site.python(script)).name) == [0.5, 0.75]


def test_values_come_while_the_job_runs(site: Site) -> None:
    name = site.launch(site.sh("echo 'amt-report acc=0.5;'; exec sleep 600"))
    report = site.until(name, lambda _: site.values(name) == [0.5])
    assert report.state is JobState.RUNNING


def test_a_flood_of_output_is_bounded_and_its_last_metric_read(site: Site) -> None:
    """200 MB of it, with a metric at the beginning, after every 20 MB, and at the end."""
    script = (
        "import sys\nw = sys.stdout.buffer.write\nblock = (b'x' * 99 + b'\\n') * 10_000\n"
        "for i in range(200):\n  i % 20 or w(b'amt-report acc=%d;\\n' % i)\n  w(block)\n"
        "w(b'amt-report acc=0.75;\\nthe very end\\n')"
    )
    started = time.monotonic()
    report = site.run(site.python(script))
    seconds = time.monotonic() - started
    assert report.state is JobState.COMPLETED
    assert site.values(report.name) == [*range(0, 200, 20), 0.75]
    log = site.directory(report.name) / "output.log"
    assert log.stat().st_size < 65 * 1024 * 1024
    with log.open("rb") as file:
        assert file.readline() == b"amt-report acc=0;\n"
        file.seek(-200, 2)
        assert file.read().endswith(b"amt-report acc=0.75;\nthe very end\n")
    assert not list(log.parent.glob("output.tail*"))
    assert seconds < 15


def test_a_burst_of_values_right_before_the_end_is_read_to_the_last(site: Site) -> None:
    script = (
        "import os; os.write(1, b''.join(b'amt-report acc=%d;\\n' % n for n in range(45_000))); os._exit(0)"
    )
    name = site.run(site.python(script)).name
    assert site.values(name) == list(range(45_000))


def test_a_definition_of_a_library_reads_its_log(site: Site) -> None:
    lines = "Epoch[0] Train-accuracy=0.1\nEpoch[0] Validation-accuracy=0.5\nEpoch[1] Validation-accuracy=0.75"
    template = site.sh(
        f"echo 'INFO:root:{lines}'", metric_definitions=(metric_definitions.mxnet("accuracy"),)
    )
    name = site.run(template, objective_metric="Validation-accuracy").name
    assert site.values(name, "Validation-accuracy") == [0.5, 0.75]


# -- the parts, without workers -----------------------------------------------------------------------


def collect(values: Values) -> None:
    """Until all that was fed is searched."""
    give_up_at = time.monotonic() + 20
    while values.search.waiting:
        assert time.monotonic() < give_up_at
        select.select(values.search.readers, values.search.writers, [], 0.1)
        values.collect()


def values_in(directory: Path, pieces: list[bytes], regex: str = r"v=(\S+)") -> list[float]:
    definition = {"name": "v", "regex": regex, "literal": required_text(regex)}
    values = Values(str(directory), [definition])
    for piece in pieces:
        values.feed(piece)
    values.finish()
    assert not values.lost
    file = directory / "metrics.jsonl"
    text = file.read_text() if file.exists() else ""
    file.unlink(missing_ok=True)
    return [float(v) for v in re.findall(r'"value": "?([^,"]+)', text)]


@given(
    lines=st.lists(st.sampled_from([b"v=1", b"no", b"", b"v=2 x", b"v=x", b"\xff v=-3.5\xfe"]), max_size=8),
    ends=st.lists(st.sampled_from([b"\n", b"\r", b"\r\n", b"\n\n"]), min_size=8, max_size=8),
    cuts=st.lists(st.integers(0, 80), max_size=6),
)
@pytest.mark.parametrize("regex", [r"v=(\S+)", r"(?i)V=(\S+)"])
def test_how_the_output_is_cut_into_pieces_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory,
    lines: list[bytes],
    ends: list[bytes],
    cuts: list[int],
    regex: str,
) -> None:
    output = b"".join(line + end for line, end in zip(lines, ends, strict=False))
    points = [0, *sorted(cuts), len(output)]
    pieces = [output[a:b] for a, b in itertools.pairwise(points)]
    directory = tmp_path_factory.getbasetemp()
    expected = {b"v=1": 1.0, b"v=2 x": 2.0}
    assert values_in(directory, pieces, regex) == [expected[line] for line in lines if line in expected]


def test_a_line_is_cut_at_its_limit_wherever_it_is_split(tmp_path: Path) -> None:
    late = b"x" * LINE_BYTES + b"v=1\n"
    for size in (100, LINE_BYTES - 1, LINE_BYTES, LINE_BYTES + 1, 10**6):
        pieces = [late[i : i + size] for i in range(0, len(late), size)]
        assert values_in(tmp_path, [*pieces, b"v=2\n"]) == [2.0]


def test_after_too_many_values_only_the_last_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("amt_flows.backends.local_worker.values.MAX_VALUES", 3)
    assert values_in(tmp_path, [b"".join(b"v=%d\n" % n for n in range(10))]) == [0, 1, 2, 9]


def test_values_that_do_not_fit_on_the_disk_are_kept_until_they_do(tmp_path: Path) -> None:
    values = Values(str(tmp_path), [{"name": "v", "regex": r"v=(\S+)", "literal": "v="}])
    (tmp_path / "metrics.jsonl").symlink_to("/dev/full")
    values.feed(b"v=1\nv=2\n")
    collect(values)
    lost = [values.lost]
    (tmp_path / "metrics.jsonl").unlink()
    values.feed(b"v=3\n")
    collect(values)
    lost.append(values.lost)
    values.finish()
    assert lost == [True, False]
    assert values.error is not None
    assert (tmp_path / "metrics.jsonl").read_text().count("\n") == 3


@given(sizes=st.lists(st.integers(0, 90), max_size=30))
def test_the_log_has_the_beginning_and_the_end(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int]
) -> None:
    directory = tmp_path_factory.mktemp("log")
    output = Output(str(directory), head_bytes=100, tail_bytes=50)
    whole = b""
    for n, size in enumerate(sizes):
        piece = bytes([65 + n % 26]) * size
        whole += piece
        output.write(piece)
    output.close()
    assert output.error is None
    log = (directory / "output.log").read_bytes()
    assert len(log) <= 100 + 100 + 60
    assert log[:100] == whole[:100]
    assert output.last == whole[-LAST_BYTES:]
    match = re.search(rb"\n\[amt-flows: (\d+) bytes of output are left out here\]\n", log)
    if match is None:
        assert log == whole
    else:
        tail = log[match.end() :]
        assert 50 <= len(tail) <= 100
        assert whole.endswith(tail)
        assert 100 + int(match[1]) + len(tail) == len(whole)
