"""Regexes that may take for ever are told by how they are built; those that can't are not."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amt_flows.metrics.expressions import recommended
from amt_flows.metrics.slow_regexes import slowness

ENDLESS = {
    r"^(?:a+)+;acc=([0-9.]+)": "a" * 45 + "acc=",
    r"^(a*)*;": "a" * 45,
    r"^(?:\w+\s?)*;acc=([0-9.]+)": "a" * 45,
    r"^(?:(?:a|b)+)*;": "ab" * 25,
    r"^(?:,?[a-z]+){2,};": "a" * 45,
    r"^((?:a+)|b)*;": "a" * 45,
}


@pytest.mark.parametrize("regex", ENDLESS)
def test_a_repeated_repetition_is_told_and_really_takes_for_ever(regex: str) -> None:
    (said,) = slowness(regex)
    assert "repeats a repetition" in said
    # A second of its own, however busy the machine is.
    limit = "from resource import *; setrlimit(RLIMIT_CPU, (1, 2))"
    search = "import re, sys; re.search(sys.argv[1], sys.argv[2])"
    done = subprocess.run([sys.executable, "-c", f"{limit}; {search}", regex, ENDLESS[regex]], check=False)
    assert done.returncode == -signal.SIGXCPU


def test_two_of_anything_are_told_where_the_first_is_of_no_use() -> None:
    (said,) = slowness(r".*loss: ([0-9.]+).*accuracy: [0-9.]+")
    assert "leave out the one in front" in said
    assert slowness(r"(?:.*)loss.*=([0-9.]+)") == [said]
    for plain in (r".*loss: ([0-9.]+)", r"loss: ([0-9.]+).*accuracy: [0-9.]+", r"^.*loss.*=([0-9.]+)"):
        assert not slowness(plain), plain


@pytest.mark.parametrize(
    "regex",
    [
        r"(?:\.\w+)*=([0-9.]+)",
        r"(?:[0-9]{1,3})+",
        r"(?:a{1,3},)+",
        r"acc=([0-9]+(?:\.[0-9]+)?)",
        r"(?:[a-z]+=[0-9]+ )*acc=([0-9.]+)",
        r"(",
        r"a{99999999999}(b)",
    ],
)
def test_what_has_to_be_between_two_rounds_makes_it_quick(regex: str) -> None:
    assert not slowness(regex)


@given(st.from_regex(r"[a-zA-Z][\w@/ .-]{0,30}", fullmatch=True))
def test_what_we_recommend_is_never_slow(name: str) -> None:
    assert not slowness(recommended(name))
