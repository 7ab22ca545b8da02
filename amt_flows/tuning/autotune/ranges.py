"""From the name of a hyperparameter and a value that usually works to the range that is searched.

AMT has the field (``AutoParameters``) and publishes no rule; this is ours. A name whose meaning is known
decides (the table in :mod:`amt_flows.tuning.autotune.known`); of any other, the hint alone does:

===========================  ==============================================  ===========
hint h                       range                                           scaling
===========================  ==============================================  ===========
true, false                  both, written as the hint is                    (categories)
whole, from 4                h/4 to 4 h                                      Logarithmic
whole, 1 to 3                1 to 4 h                                        Linear
whole, 0                     0 to 4                                          Linear
real, above 1                h/10 to 10 h                                    Logarithmic
real, 0.05 to 1              h/4 to 1 - (1-h)/4                              Linear
real, above 0, below 0.05    h/100 to 100 h, at most 1                       Logarithmic
real, 0                      0 to 1                                          Linear
negative                     4 h to h/4                                      Linear
===========================  ==============================================  ===========

Ends are rounded to three digits. A word says nothing of the other words that a training script would take.
"""

from __future__ import annotations

from amt_flows.spec import CategoricalRange
from amt_flows.tuning.autotune.hints import Hint, Range, continuous, hint_of, integer
from amt_flows.tuning.autotune.known import LOG, Unusual, usual

SHARE_FROM = 0.05
SMALLEST, LARGEST = 1e-12, 1e12


def range_for(name: str, value_hint: str) -> tuple[Range, str]:
    """The range of the hyperparameter ``name``, and what it was chosen from, in a few words.

    Raises ValueError with what the hint must be, or what to give instead of it.
    """
    hint = hint_of(value_hint)
    if hint is None:
        raise ValueError(
            "is no number, and from one word no other values can be told; list the values in `categorical`"
        )
    if isinstance(hint, bool):
        return CategoricalRange(name=name, values=_both(value_hint, hint)), "the other truth value"
    if hint.value != 0 and not SMALLEST <= abs(hint.value) <= LARGEST:
        raise ValueError("is beyond the numbers that a range is chosen from; give a range")
    known = usual(name)
    if known is None:
        return _from_hint(name, hint), "the hint alone"
    try:
        return known.range(name, hint), f"as {known.meaning}"
    except Unusual as error:
        why = f"{error}, as {known.meaning} (so its name is understood); mend it, or give a range"
        raise ValueError(why) from None


def _both(text: str, hint: bool) -> tuple[str, str]:
    text = text.strip().strip('"')
    other = "false" if hint else "true"
    other = other.upper() if text.isupper() else other.capitalize() if text[0].isupper() else other
    return (text, other) if hint else (other, text)


def _from_hint(name: str, hint: Hint) -> Range:
    h = hint.value
    if h < 0:
        return integer(name, 4 * h, h / 4) if hint.whole else continuous(name, 4 * h, h / 4)
    if hint.whole:
        if h >= 4:
            return integer(name, h // 4, 4 * h, LOG)
        return integer(name, min(h, 1), max(4 * h, 4))
    if h > 1:
        return continuous(name, h / 10, 10 * h, LOG)
    if h >= SHARE_FROM:
        return continuous(name, h / 4, 1 - (1 - h) / 4)
    return continuous(name, h / 100, min(100 * h, 1.0), LOG) if h > 0 else continuous(name, 0.0, 1.0)
