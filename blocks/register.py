"""Save the block documents of a file on the Prefect server that the environment names.

    python blocks/register.py                      # blocks.toml, beside this file
    python blocks/register.py prod.toml --check    # only say what would be done

Each table ``[<type>.<name>]`` is a document. A text ``$NAME`` stands for a variable of the environment, so
that secrets are in no file; ``<type>/<name>`` in a field that wants a block is that block, of this file or of
the server; ``spec_file`` is the tuning spec in another file. Run again, it updates what is there.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefect.blocks.core import Block

from amt_flows.errors import AmtFlowsError, Problem, SpecError
from amt_flows.flows import (
    LocalTraining,
    RayTraining,
    SageMakerTraining,
    TuningJob,
    TuningRecords,
    WorkPoolTraining,
)
from amt_flows.spec import TuningSpec

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TYPES: dict[str, type[Block]] = {
    kind.get_block_type_slug(): kind
    for kind in (
        LocalTraining,
        SageMakerTraining,
        RayTraining,
        WorkPoolTraining,
        TuningRecords,
        TuningJob,
    )
}
REFERENCE = re.compile(r"(amt-[a-z-]+)/([a-z0-9-]+)")


def documents(file: Path, environment: Mapping[str, str]) -> dict[str, Block]:
    """The blocks of a file by ``<type>/<name>``, in an order in which none comes before one that it names.

    Raises SpecError with everything that is wrong.
    """
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SpecError([Problem(str(file), None, f"can't be read: {error}")]) from None
    problems: list[Problem] = []
    blocks: dict[str, Block] = {}
    # Places and records first: a tuning job may name them.
    for slug in sorted(tables, key=list(TYPES).index if set(tables) <= set(TYPES) else None):
        if slug not in TYPES:
            problems.append(Problem(slug, None, f"is no type of block; the types are {', '.join(TYPES)}"))
            continue
        for name, fields in tables[slug].items():
            try:
                blocks[f"{slug}/{name}"] = _block(TYPES[slug], fields, file.parent, environment, blocks)
            except (ValueError, AmtFlowsError) as error:
                problems.append(Problem(f"{slug}.{name}", None, str(error)))
    if problems:
        raise SpecError(problems)
    return blocks


def _block(
    kind: type[Block],
    fields: Mapping[str, Any],
    directory: Path,
    environment: Mapping[str, str],
    known: Mapping[str, Block],
) -> Block:
    values = {name: _value(value, environment, known) for name, value in fields.items()}
    if "spec_file" in values:
        values["tuning"] = TuningSpec.load(directory / str(values.pop("spec_file")))
    unknown = sorted(set(values) - set(kind.model_fields))
    if unknown:
        raise ValueError(f"there is no field {unknown[0]}; the fields are {', '.join(kind.model_fields)}")
    return kind(**values)


def _value(value: Any, environment: Mapping[str, str], known: Mapping[str, Block]) -> Any:
    if not isinstance(value, str):
        return value
    if value.startswith("$"):
        if value[1:] not in environment:
            raise ValueError(f"the variable {value} is not set")
        return environment[value[1:]]
    reference = REFERENCE.fullmatch(value)
    if reference is None or reference[1] not in TYPES:
        return value
    return known[value] if value in known else TYPES[reference[1]].load(reference[2])


def register(file: Path, environment: Mapping[str, str] = os.environ) -> list[str]:
    """Save all documents of a file. Returns their names. Raises SpecError before anything was saved."""
    blocks = documents(file, environment)
    for kind in TYPES.values():
        kind.register_type_and_schema()
    for name, block in blocks.items():
        # What names a block that was saved names its document; so they are saved in their order.
        block.save(name.partition("/")[2], overwrite=True)
    return list(blocks)


def main() -> None:
    parser = argparse.ArgumentParser(description="Save the block documents of a file on the Prefect server.")
    beside = Path(__file__).with_name("blocks.toml")
    parser.add_argument("file", nargs="?", type=Path, default=beside, help="[default: blocks.toml beside it]")
    parser.add_argument("--check", action="store_true", help="save nothing")
    arguments = parser.parse_args()
    try:
        if arguments.check:
            names, done = list(documents(arguments.file, os.environ)), "would be saved"
        else:
            names, done = register(arguments.file), "saved"
    except AmtFlowsError as error:
        print(error, file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    for name in names:
        print(f"{name} {done}")


if __name__ == "__main__":
    main()
