"""``TuningSpec``: everything a tuning job is asked to do, as one frozen value that breaks no rule.

The same shape is written in Python, TOML, JSON and the Prefect UI's form. What pydantic can say about one
field stands with the parts (:mod:`amt_flows.spec.parts`), the rules between fields stand in
:mod:`amt_flows.spec.rules`, and both raise the same ``SpecError``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, ValidationError

from amt_flows.errors import SpecError
from amt_flows.space.space import Space
from amt_flows.spec.amt_reading import is_amt_request, read_amt_request
from amt_flows.spec.files import read_document
from amt_flows.spec.parts import TuningFields, anchored_table, is_table
from amt_flows.spec.plain_values import plain_problems
from amt_flows.spec.rules import rule_problems
from amt_flows.spec.shape import shape_problems
from amt_flows.spec.spaces import space_of
from amt_flows.spec.toml import toml_text


class TuningSpec(TuningFields):
    """A tuning job as asked for.

    Raises :class:`amt_flows.errors.SpecError` with every problem found when it is built from values that
    break a rule. Build it from keyword arguments, or with :meth:`load` (a TOML, JSON or YAML file) or
    :meth:`parse` (a mapping: our own shape, or an AMT ``CreateHyperParameterTuningJob`` body).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, title="Tuning job")

    def __init__(self, **data: Any) -> None:
        problems = plain_problems(data)
        if problems:
            raise SpecError(problems)
        try:
            super().__init__(**data)
        except ValidationError as error:
            raise SpecError(shape_problems(TuningSpec, data, error)) from None
        problems = rule_problems(self)
        if problems:
            raise SpecError(problems)

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> TuningSpec:
        """A spec from a mapping in our own shape or in that of AMT's request.

        Raises SpecError.
        """
        return read_amt_request(data, cls) if is_amt_request(data) else cls(**dict(data))

    @classmethod
    def load(cls, path: str | Path) -> TuningSpec:
        """A spec from a ``.toml``, ``.json`` or ``.yaml`` file (our shape, or AMT's request body).

        Relative paths in it (working directory, inputs) are taken from the file's own directory, and so
        is the working directory when none is given. Raises SpecError.
        """
        return cls.parse(read_document(path)).anchored(Path(path).resolve().parent)

    def to_toml(self) -> str:
        """The text of a file that :meth:`load` reads back to an equal spec. Relative paths in it are taken
        from that file's directory then, as in any other. Raises SpecError for a null among a function's
        values."""
        return toml_text(self.to_json())

    def anchored(self, directory: Path) -> TuningSpec:
        """The same spec with its relative local paths resolved against ``directory``."""
        changed: dict[str, object] = {"training_job": self.training_job.anchored(directory)}
        if self.warm_start is not None:
            changed["warm_start"] = self.warm_start.anchored(directory)
        if any(map(is_table, self.learn_from)):
            changed["learn_from"] = tuple(anchored_table(name, directory) for name in self.learn_from)
        if self.tracking is not None:
            changed["tracking"] = self.tracking.anchored(directory)
        if self.other_definitions:
            changed["other_definitions"] = tuple(
                other.model_copy(update={"training_job": other.training_job.anchored(directory)})
                for other in self.other_definitions
            )
        return self.model_copy(update=changed)

    def named(self, name: str) -> TuningSpec:
        """The same spec under another name; the name is checked. Raises SpecError."""
        return TuningSpec(**{**self.to_json(), "name": name})

    def space(self) -> Space:
        """The space that is searched: continuous, integer, then categorical ranges, in the spec's order."""
        return space_of(self)
