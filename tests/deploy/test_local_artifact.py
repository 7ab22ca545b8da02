"""Copying a model: archives and directories from anybody, of which nothing may lead out."""

from __future__ import annotations

import os
import socket
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amt_flows.deploy import current_version, promote_local
from amt_flows.deploy.local_artifact import copy_model
from amt_flows.errors import DeployRejected
from deploy.candidates import Member, archive, candidate, member, model_directory

SYMLINK, HARD_LINK, FIFO, DEVICE = tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE


def test_an_archive_is_unpacked(tmp_path: Path) -> None:
    source = archive(
        tmp_path / "model.tar.gz",
        member("./", b"", type=tarfile.DIRTYPE),
        member("./weights.bin", b"old"),
        member("code/run.sh", b"echo", mode=0o755),
        member("code/latest", b"", type=SYMLINK, linkname="../weights.bin"),
        member("copy.bin", b"", type=HARD_LINK, linkname="code/run.sh"),
        member("weights.bin", b"new"),
    )
    promote_local(candidate(source), tmp_path / "served")
    model = tmp_path / "served/current/model"
    assert (model / "weights.bin").read_text() == "new"
    assert str((model / "code/latest").readlink()) == "../weights.bin"
    assert (model / "copy.bin").read_text() == "echo"
    assert os.access(model / "code/run.sh", os.X_OK)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([member("../evil")], "leads out"),
        ([member("/tmp/evil")], "leads out"),
        ([member("a/../../evil")], "leads out"),
        (
            [member("link", b"", type=SYMLINK, linkname="/etc/passwd")],
            "leads out of the model, to /etc/passwd",
        ),
        ([member("link", b"", type=SYMLINK, linkname="../../x")], "leads out"),
        ([member("x"), member("link", b"", type=SYMLINK, linkname="nothing")], "a link to nothing"),
        (
            # The classic: a link to a directory outside, and a file that is written through it.
            [member("d", b"", type=SYMLINK, linkname="/tmp"), member("d/evil")],
            "is a link and a directory at once",
        ),
        ([member("h", b"", type=HARD_LINK, linkname="/etc/passwd")], "no file of the archive"),
        ([member("f", b"", type=FIFO)], "neither a file"),
        ([member("d", b"", type=DEVICE)], "neither a file"),
        ([member("d", b"", type=tarfile.DIRTYPE)], "has no file"),
        ([], "has no file"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_archives_that_lead_out_are_refused(tmp_path: Path, members: list[Member], message: str) -> None:
    source = archive(tmp_path / "model.tar.gz", *members)
    with pytest.raises(DeployRejected, match=message):
        promote_local(candidate(source), tmp_path / "served")
    assert current_version(tmp_path / "served") is None
    assert not list((tmp_path / "served/versions").iterdir())
    assert not (tmp_path / "evil").exists()


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    whole = archive(tmp_path / "whole.tar.gz", member("weights.bin", b"x" * 100_000)).read_bytes()
    for number, content in enumerate((b"", b"no archive", whole[: len(whole) // 2], whole[:-4] + b"!!!!")):
        source = tmp_path / f"{number}.tar.gz"
        source.write_bytes(content)
        with pytest.raises(DeployRejected, match=r"can't be read as a tar archive|no file"):
            promote_local(candidate(source), tmp_path / "served")
    assert not list((tmp_path / "served/versions").iterdir())


@pytest.mark.parametrize("kind", ["link out", "link to link out", "directory link out", "socket", "no file"])
def test_directories_that_lead_out_are_refused(tmp_path: Path, kind: str) -> None:
    outside = model_directory(tmp_path / "outside")
    source = tmp_path / "model"
    source.mkdir()
    if kind == "link out":
        (source / "link").symlink_to(outside / "weights.bin")
    elif kind == "link to link out":
        (tmp_path / "hop").symlink_to(outside)
        (source / "link").symlink_to("../hop/weights.bin")
    elif kind == "directory link out":
        (source / "link").symlink_to(outside, target_is_directory=True)
    elif kind == "socket":
        directory = os.open(source, os.O_RDONLY)
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(f"/proc/self/fd/{directory}/s")  # a path of its own may be too long for a socket
        os.close(directory)
    with pytest.raises(DeployRejected, match=r"leads out of the model|neither a file|has no file"):
        promote_local(candidate(source), tmp_path / "served")
    assert not list((tmp_path / "served/versions").iterdir())


def test_a_model_directory_around_the_versions_is_refused(tmp_path: Path) -> None:
    source = model_directory(tmp_path / "model")
    with pytest.raises(DeployRejected, match="is around it"):
        promote_local(candidate(source), source / "served")


@pytest.mark.parametrize("artifact", ["ftp://host/model", "file://elsewhere/model", "/no/such/model"])
def test_artifacts_that_can_not_be_had_are_refused(tmp_path: Path, artifact: str) -> None:
    with pytest.raises(DeployRejected, match=r"only files of this machine|no such file"):
        promote_local(candidate(artifact), tmp_path / "served")


names = st.from_regex(r"[a-z]{1,3}(/[a-z]{1,3}){0,2}", fullmatch=True)


@given(st.dictionaries(names, st.binary(max_size=64), min_size=1, max_size=6))
def test_a_copy_is_the_same_and_its_digest_knows(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    place = tmp_path_factory.mktemp("copies")
    source = place / "source"
    for name, content in files.items():
        path = source / name
        if any(parent.is_file() for parent in path.parents) or path.is_dir():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    digest = copy_model(source, place / "one")
    copied = {p.relative_to(place / "one"): p.read_bytes() for p in (place / "one").rglob("*") if p.is_file()}
    assert copied == {p.relative_to(source): p.read_bytes() for p in source.rglob("*") if p.is_file()}
    # The same from an archive, and another one for another content.
    with tarfile.open(place / "model.tar", "w") as file:
        file.add(source, ".")
    assert copy_model(place / "model.tar", place / "two") == digest
    changed = next(p for p in sorted(source.rglob("*")) if p.is_file())
    changed.write_bytes(changed.read_bytes() + b"!")
    assert copy_model(source, place / "three") != digest
