"""The served simulator runs programs, so it answers those who know its credentials, and no web page."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import boto3
import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials as OfBotocore
from botocore.utils import percent_encode_sequence
from hypothesis import given
from hypothesis import strategies as st

from amt_flows.testing.sagemaker import Command, JobScript, SimulatedSageMaker
from amt_flows.testing.sagemaker.credentials import CredentialsError, made_up, read, write
from amt_flows.testing.sagemaker.signatures import Signed, Unsigned, check
from testing.sagemaker_requests import KEYS, REGION, client, messages, refusal, training, wait_for_end

CREATE = json.dumps(training("from-a-page"))
TARGET = {"X-Amz-Target": "SageMaker.CreateTrainingJob", "Content-Type": "application/x-amz-json-1.1"}


@pytest.fixture
def world() -> Iterator[SimulatedSageMaker]:
    one = SimulatedSageMaker(JobScript([0.5]))
    with one.serve(credentials=KEYS):
        yield one


def signed(url: str, body: str = CREATE, headers: Mapping[str, str] = TARGET) -> dict[str, str]:
    """The headers of a request that is signed as botocore does it."""
    request = AWSRequest("POST", url, dict(headers), body)
    keys = OfBotocore(KEYS.access_key_id, KEYS.secret_access_key)
    SigV4Auth(keys, "sagemaker", REGION).add_auth(request)
    return dict(request.headers.items())


def post(world: SimulatedSageMaker, headers: Mapping[str, str], body: str = CREATE) -> tuple[int, str]:
    answer = ask("POST", own(world) + "/", headers, body.encode())
    return answer.status, answer.body.decode()


class Answered(NamedTuple):
    status: int
    body: bytes
    headers: dict[str, str]


def ask(
    method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
) -> Answered:
    """At this machine, whatever the name in the URL: not every system knows names below localhost."""
    split = urlsplit(url)
    connection = http.client.HTTPConnection("127.0.0.1", split.port, timeout=20)
    try:
        target = url.partition(split.netloc)[2]
        connection.request(method, target, body, {"Host": split.netloc, **(headers or {})})
        with connection.getresponse() as answer:
            return Answered(answer.status, answer.read(), dict(answer.headers.items()))
    finally:
        connection.close()


def own(world: SimulatedSageMaker) -> str:
    return world.environment["AWS_ENDPOINT_URL"]


# -- who is answered -----------------------------------------------------------------------------------


def test_a_signed_request_is_answered(world: SimulatedSageMaker) -> None:
    status, answer = post(world, signed(own(world)))
    assert status == 200, answer
    assert [job.name for job in world.jobs] == ["from-a-page"]


@pytest.mark.parametrize(
    "change",
    [
        lambda url: {"Origin": "https://evil.example"},
        lambda url: {"Origin": "null"},
        lambda url: {"Origin": url.replace("127.0.0.1", "localhost")},
        lambda url: {"Sec-Fetch-Site": "cross-site"},
        lambda url: {"Sec-Fetch-Site": "same-site"},
        lambda url: {"Authorization": ""},
        lambda url: {
            "Authorization": "AWS4-HMAC-SHA256 Credential=test/20261128/eu-west-1/sagemaker/aws4_request"
        },
        lambda url: {"X-Amz-Date": "20200101T000000Z"},
        lambda url: {"X-Amz-Target": "SageMaker.StopTrainingJob"},
    ],
    ids=[
        "origin",
        "null-origin",
        "other-name",
        "cross-site",
        "same-site",
        "unsigned",
        "half",
        "old",
        "other-call",
    ],
)
def test_a_request_of_a_page_or_of_a_stranger_does_nothing(
    world: SimulatedSageMaker, change: Callable[[str], dict[str, str]]
) -> None:
    status, answer = post(world, signed(own(world)) | change(own(world)))
    assert status == 403
    assert json.loads(answer)["message"].startswith("The simulated AWS: ")
    assert world.jobs == ()


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "evil.example:5000", "0.0.0.0", "localhost@evil.example", ""],
)
def test_a_name_that_is_not_this_machines_is_refused(world: SimulatedSageMaker, host: str) -> None:
    # Signed for that very name: it is the name that is refused.
    headers = signed(f"http://{host}/") if host and "@" not in host else signed(own(world))
    status, answer = post(world, headers | {"Host": host})
    assert (status, world.jobs) == (403, ())
    assert "--allow-host" in answer


def test_another_body_than_the_signed_one_is_refused(world: SimulatedSageMaker) -> None:
    status, answer = post(world, signed(own(world)), CREATE.replace("my-image", "my-imagf"))
    assert (status, world.jobs) == (403, ())
    assert "InvalidSignatureException" in answer


def test_a_page_of_the_server_itself_and_the_address_bar_are_no_strangers(world: SimulatedSageMaker) -> None:
    for more in ({"Origin": own(world), "Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}):
        assert post(world, signed(own(world)) | more)[0] in (200, 400)  # the name is taken at the second time
    assert len(world.jobs) == 1


@pytest.mark.parametrize(
    "path", ["/moto-api/reset", "/latest/meta-data/iam/security-credentials/", "/bucket", "/"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_no_door_stands_open_beside(world: SimulatedSageMaker, method: str, path: str) -> None:
    client(url=own(world)).create_training_job(**training())
    answer = ask(method, own(world) + path)
    assert answer.status == 403
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert len(client(url=own(world)).list_training_jobs()["TrainingJobSummaries"]) == 1


def test_wrong_keys_are_told_in_the_words_of_each_service(world: SimulatedSageMaker) -> None:
    url = own(world)

    def stranger(service: str, secret: str = "wrong", key: str = KEYS.access_key_id) -> Any:
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=url,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            config=Config(retries={"total_max_attempts": 1}),
        )

    assert refusal(stranger("sagemaker").list_training_jobs)[0] == "InvalidSignatureException"
    assert refusal(stranger("sagemaker", key="A" * 20).list_training_jobs)[0] == "UnrecognizedClientException"
    assert refusal(stranger("s3").list_buckets)[0] == "SignatureDoesNotMatch"
    assert refusal(stranger("sts").get_caller_identity)[0] == "SignatureDoesNotMatch"
    code, message = refusal(stranger("cloudwatch").list_metrics)
    assert code in ("InvalidSignatureException", "SignatureDoesNotMatch")
    assert "secret of this access key" in message


# -- every way in which real clients sign -----------------------------------------------------------------


def test_keys_that_the_simulated_aws_gives_out_are_known(world: SimulatedSageMaker) -> None:
    url = own(world)
    iam = client("iam", url)
    iam.create_user(UserName="reader")
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    role = client("sts", url).assume_role(RoleArn="arn:aws:iam::123456789012:role/r", RoleSessionName="s1")
    for session in (
        boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name=REGION),
        boto3.Session(
            role["Credentials"]["AccessKeyId"],
            role["Credentials"]["SecretAccessKey"],
            role["Credentials"]["SessionToken"],
            region_name=REGION,
        ),
    ):
        assert (
            session.client("sagemaker", endpoint_url=url).list_training_jobs()["TrainingJobSummaries"] == []
        )


KEY = "a b/ü+%2F=&~(1)//x.txt"


@pytest.mark.parametrize("style", ["path", "virtual"])
@pytest.mark.parametrize("version", ["s3v4", None])
def test_urls_that_are_signed_beforehand(world: SimulatedSageMaker, version: str | None, style: str) -> None:
    # Version 2 is boto3's own choice when it isn't told.
    s3 = boto3.client(
        "s3",
        region_name="us-east-1",
        endpoint_url=own(world).replace("127.0.0.1", "localhost"),
        aws_access_key_id=KEYS.access_key_id,
        aws_secret_access_key=KEYS.secret_access_key,
        config=Config(signature_version=version, s3={"addressing_style": style}),
    )
    client("s3", own(world)).create_bucket(
        Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    params = {"Bucket": "bucket", "Key": KEY}
    assert ask("PUT", s3.generate_presigned_url("put_object", params), body=b"hello").status == 200
    url = s3.generate_presigned_url("get_object", params)
    assert ask("GET", url).body == b"hello"
    for wrong in (url.replace("x.txt", "y.txt"), url.replace("ignature=", "ignature=0"), _aged(url)):
        assert ask("GET", wrong).status == 403


def _aged(url: str) -> str:
    """A presigned URL whose time is over by what it says itself."""
    if "X-Amz-Date" in url:
        return url.replace("X-Amz-Date=20", "X-Amz-Date=19")
    return url.replace("Expires=", "Expires=1&was=")


def test_uploads_of_every_kind_arrive_whole(world: SimulatedSageMaker, tmp_path: Path) -> None:
    s3 = client("s3", own(world))
    s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": REGION})
    large = os.urandom(3 * 1024 * 1024)
    (tmp_path / "large").write_bytes(large)
    s3.upload_file(str(tmp_path / "large"), "bucket", "large")
    s3.put_object(Bucket="bucket", Key=KEY, Body=b"small", Metadata={"my_key": "an  inner   blank"})
    s3.put_object(Bucket="bucket", Key="summed", Body=b"summed", ChecksumAlgorithm="SHA256")
    assert s3.get_object(Bucket="bucket", Key="large")["Body"].read() == large
    assert s3.get_object(Bucket="bucket", Key=KEY)["Body"].read() == b"small"
    assert s3.get_object(Bucket="bucket", Key="summed")["Body"].read() == b"summed"
    assert len(s3.list_objects_v2(Bucket="bucket", Prefix="a b/")["Contents"]) == 1


def test_a_stream_in_parts_with_a_checksum_behind_it(world: SimulatedSageMaker) -> None:
    client("s3", own(world)).create_bucket(
        Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    body = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"
    request = AWSRequest(
        "PUT",
        own(world) + "/bucket/streamed",
        {
            "Content-Encoding": "aws-chunked",
            "X-Amz-Trailer": "x-amz-checksum-crc32",
            "X-Amz-Decoded-Content-Length": "5",
            "X-Amz-Content-SHA256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        },
    )
    request.context["client_config"] = Config()
    keys = OfBotocore(KEYS.access_key_id, KEYS.secret_access_key)

    class Streaming(S3SigV4Auth):  # type: ignore[misc]
        def payload(self, request: Any) -> str:
            return "STREAMING-UNSIGNED-PAYLOAD-TRAILER"

    Streaming(keys, "s3", REGION).add_auth(request)
    headers = dict(request.headers.items()) | {"X-Amz-Content-SHA256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER"}
    assert ask("PUT", str(request.url), headers, body).status == 200
    s3 = client("s3", own(world))
    assert s3.get_object(Bucket="bucket", Key="streamed")["Body"].read() == b"hello"


SAFE = st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"))


@given(
    st.sampled_from(["sagemaker", "s3", "lambda"]),
    st.lists(st.text(SAFE, min_size=1, max_size=8), max_size=4),
    st.dictionaries(st.text(SAFE, min_size=1, max_size=6), st.text(SAFE, max_size=8), max_size=4),
    st.dictionaries(
        st.from_regex(r"x-amz-meta-[a-z0-9_-]{1,8}", fullmatch=True),
        st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20),
        max_size=3,
    ),
    st.binary(max_size=50),
)
def test_what_botocore_signs_is_taken_and_nothing_else(
    service: str, path: list[str], query: dict[str, str], headers: dict[str, str], body: bytes
) -> None:
    url = "http://localhost:5000/" + "/".join(quote(part, safe="~") for part in path)
    if query:
        url += f"?{percent_encode_sequence(query)}"
    request = AWSRequest("PUT", url, dict(headers), body)
    kind = S3SigV4Auth if service == "s3" else SigV4Auth
    kind(OfBotocore(KEYS.access_key_id, KEYS.secret_access_key), service, REGION).add_auth(request)
    prepared = request.prepare()
    split = urlsplit(prepared.url)
    came = {name.lower(): _text(value) for name, value in prepared.headers.items()} | {
        "host": "localhost:5000"
    }
    one = Signed("PUT", split.path, split.query, came, lambda largest: hashlib.sha256(body).hexdigest())
    secrets = {KEYS.access_key_id: KEYS.secret_access_key}
    check(one, lambda key, token: secrets.get(key), time.time())
    other = Signed("POST", split.path, split.query, came, one.body_hash)
    with pytest.raises(Unsigned):
        check(other, lambda key, token: secrets.get(key), time.time())
    with pytest.raises(Unsigned):
        check(one, lambda key, token: "another", time.time())


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


WORDS = st.text(max_size=60)


@given(st.binary(max_size=80).map(lambda data: data.decode("latin-1")), WORDS, WORDS)
def test_whatever_a_request_claims_it_is_refused_and_never_an_error(
    claim: str, query: str, date: str
) -> None:
    version_4 = f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires={query}&X-Amz-Credential={claim}"
    version_2 = f"&AWSAccessKeyId={claim}&Signature={query}&Expires={date}"
    credential = f"AWS4-HMAC-SHA256 Credential={claim}, Signature={date}"
    for authorization in (claim, f"AWS4-HMAC-SHA256 {claim}", credential):
        for asked in (query, version_4, query + version_2):
            headers = {"authorization": authorization, "x-amz-date": date, "host": "localhost"}
            request = Signed("GET", "/", asked, headers, lambda largest: "")
            with pytest.raises(Unsigned):
                check(request, lambda key, token: "secret", time.time())


# -- a real page ---------------------------------------------------------------------------------------

PAGE = """<!doctype html><title>evil</title><iframe name="sink"></iframe>
<form id="f" method="post" enctype="text/plain" target="sink" action="{url}/?Action=CreateTrainingJob">
<input name='{{"TrainingJobName": "by-form", "x": "' value='"}}'></form>
<script>
const body = {body}, done = [];
const ask = (url, options) =>
  fetch(url, options).then(a => done.push(a.status + ":" + a.type), () => done.push("no"));
(async () => {{
  for (const url of ["{url}/", "{url}/".replace("127.0.0.1", "localhost")]) {{
    await ask(url, {{method: "POST", mode: "no-cors", body}});
    await ask(url, {{method: "POST", headers: {target}, body}});
    await ask(url + "moto-api/reset", {{method: "POST", mode: "no-cors"}});
    await ask(url + "sagemaker_eu-west-1/", {{method: "POST", mode: "no-cors", body}});
  }}
  document.getElementById("f").submit();
  await new Promise(r => setTimeout(r, 500));
  await fetch("/done", {{method: "POST", body: JSON.stringify(done)}});
}})();
</script>"""


def test_a_page_in_a_browser_runs_nothing(tmp_path: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("there is no Chromium here")
    marker = tmp_path / "ran"
    world = SimulatedSageMaker(
        commands={"*": Command(["touch", str(marker)], hyperparameters_as_arguments=False)}
    )
    with world.serve(credentials=KEYS) as url, _site(url) as (page, done):
        _open(chromium, page, tmp_path, done)
        # Each was sent, and none told the page anything: those without CORS are opaque, the others failed.
        assert sorted(set(done)) == ["0:opaque", "no"]
        assert len(done) == 8
        assert world.jobs == ()
        assert world.calls == {}
        client(url=url).create_training_job(**training())
        wait_for_end(client(url=url), "job-1")
        assert marker.exists(), "the command would have run"


@contextmanager
def _site(url: str) -> Iterator[tuple[str, list[str]]]:
    """A web page of another origin, and what it said when it had tried everything."""
    page = PAGE.format(url=url, body=json.dumps(CREATE), target=json.dumps(TARGET)).encode()
    done: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(page)

        def do_POST(self) -> None:
            done.extend(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self._answer(b"")

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/", done
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _open(chromium: str, page: str, home: Path, done: list[str]) -> None:
    options = [
        "--headless",
        "--disable-gpu",
        "--no-sandbox",
        "--no-first-run",
        f"--user-data-dir={home / 'profile'}",
    ]
    process = subprocess.Popen(
        [chromium, *options, "--remote-debugging-port=0", page],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "HOME": str(home)},
    )
    try:
        until = time.monotonic() + 60
        while not done and time.monotonic() < until:
            time.sleep(0.05)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert done, "the page did not get to its end"


# -- from the command line ------------------------------------------------------------------------------


class Served(NamedTuple):
    variables: dict[str, str]
    lines: list[str]
    process: subprocess.Popen[str]


@contextmanager
def command(*arguments: str, **variables: str) -> Iterator[Served]:
    clean = {n: v for n, v in os.environ.items() if not n.startswith(("AWS_", "SIMULATED_AWS_"))}
    process = subprocess.Popen(
        [sys.executable, "-m", "amt_flows.testing.sagemaker", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**clean, "PYTHONUNBUFFERED": "1", **variables},
    )
    assert process.stdout is not None
    try:
        lines: list[str] = []
        while not lines or "web pages are not" not in lines[-1]:
            lines.append(process.stdout.readline())
            assert lines[-1], lines
        [export] = [line for line in lines if line.startswith("export ")]
        yield Served(dict(word.split("=", 1) for word in shlex.split(export)[1:]), lines, process)
    finally:
        # Whoever is impatient tells it more than once.
        for _ in range(20):
            process.terminate()
            process.send_signal(signal.SIGINT)
        process.wait(120)
        process.stdout.close()


@pytest.mark.usefixtures("run_from_a_terminal")
def test_a_closed_terminal_ends_it_as_ctrl_c_does() -> None:
    with command() as served:
        served.process.send_signal(signal.SIGHUP)
        assert served.process.wait(120) == 0


ASK = "import boto3; print(boto3.client('sagemaker').list_training_jobs()['TrainingJobSummaries'])"


def asked(variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """What a program gets that has nothing but these variables."""
    clean = {n: v for n, v in os.environ.items() if not n.startswith("AWS_")}
    return subprocess.run(
        [sys.executable, "-c", ASK],
        capture_output=True,
        text=True,
        env={**clean, "AWS_MAX_ATTEMPTS": "1", "AWS_CONFIG_FILE": os.devnull, **variables},
    )


def test_what_is_printed_is_all_that_a_client_needs() -> None:
    with command() as served:
        assert asked(served.variables).stdout == "[]\n"
        # They are in a file too, in a directory of its own.
        [line] = [line for line in served.lines if "AWS_SHARED_CREDENTIALS_FILE" in line]
        file = Path(line.partition(" in ")[2].partition(",")[0])
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
        keys = {n: v for n, v in served.variables.items() if "KEY" not in n}
        assert asked({**keys, "AWS_SHARED_CREDENTIALS_FILE": str(file)}).stdout == "[]\n"
        wrong = asked({**served.variables, "AWS_SECRET_ACCESS_KEY": "test"})
        assert "InvalidSignatureException" in wrong.stderr
        assert any("Programs of this machine can reach it" in line for line in served.lines)
    assert not file.exists()


def test_each_start_has_keys_of_its_own() -> None:
    keys = [made_up() for _ in range(3)]
    assert len({one.access_key_id for one in keys} | {one.secret_access_key for one in keys}) == 6
    assert "secret" not in repr(keys[0]) or keys[0].secret_access_key not in repr(keys[0])


def test_credentials_of_the_user_in_a_file_and_in_variables(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    with command("--credentials", str(file)) as served:  # made up, and kept
        kept = read(file)
        assert kept.access_key_id == served.variables["AWS_ACCESS_KEY_ID"]
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with command("--credentials", str(file)) as served:
        assert kept.secret_access_key not in "".join(served.lines)
        assert asked({**served.variables, **kept.environment()}).stdout == "[]\n"
        assert asked(served.variables).stdout == "[]\n"
    given = {"SIMULATED_AWS_ACCESS_KEY_ID": "mine", "SIMULATED_AWS_SECRET_ACCESS_KEY": "s3cr3t"}
    with command(**given) as served:
        assert "s3cr3t" not in "".join(served.lines)
        mine = {"AWS_ACCESS_KEY_ID": "mine", "AWS_SECRET_ACCESS_KEY": "s3cr3t"}
        assert asked({**served.variables, **mine}).stdout == "[]\n"


def test_a_name_that_is_allowed_is_answered_and_who_may_reach_it_is_said() -> None:
    with command("--host", "0.0.0.0", "--allow-host", "aws.internal", "--real") as served:
        url = urlsplit(served.variables["AWS_ENDPOINT_URL"])
        keys = OfBotocore(served.variables["AWS_ACCESS_KEY_ID"], served.variables["AWS_SECRET_ACCESS_KEY"])
        found = {}
        for name in ("aws.internal", "bucket.aws.internal", "other.internal"):
            request = AWSRequest("GET", f"http://{name}:{url.port}/", {})
            S3SigV4Auth(keys, "s3", REGION).add_auth(request)
            found[name] = ask("GET", str(request.url), dict(request.headers.items())).status
        assert (found["aws.internal"], found["other.internal"]) == (200, 403)
        assert found["bucket.aws.internal"] == 404  # there is no such bucket
        text = "".join(served.lines)
        assert "Every machine that can reach 0.0.0.0" in text
        assert "they can run any program as" in text
        assert "aws.internal" in text


@pytest.mark.parametrize(
    ("content", "variables", "words"),
    [
        ("nothing", {}, "has no [default]"),
        ("[default]\naws_access_key_id = a b\naws_secret_access_key = c\n", {}, "blanks"),
        (None, {"SIMULATED_AWS_ACCESS_KEY_ID": "a"}, "give both of"),
    ],
)
def test_credentials_that_are_none_are_explained(
    tmp_path: Path,
    content: str | None,
    variables: dict[str, str],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from click.testing import CliRunner

    from amt_flows.testing.sagemaker.__main__ import main

    arguments = ["--port", "0"]
    if content is not None:
        (tmp_path / "keys").write_text(content)
        arguments += ["--credentials", str(tmp_path / "keys")]
    found = CliRunner().invoke(main, arguments, env=variables)
    assert found.exit_code == 1
    assert words in found.output


def test_a_file_of_keys_is_never_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("theirs")
    (tmp_path / "link").symlink_to(tmp_path / "theirs")
    with pytest.raises(CredentialsError, match="exists"):
        write(tmp_path / "link", made_up())
    assert (tmp_path / "theirs").read_text() == "theirs"


def test_really_running_jobs_have_the_keys() -> None:
    code = "import boto3; print(len(boto3.client('sagemaker').list_training_jobs()['TrainingJobSummaries']))"
    world = SimulatedSageMaker(commands={"*": ["python", "-c", code]})
    with world.serve(credentials=KEYS) as url:
        client(url=url).create_training_job(**training())
        answer = wait_for_end(client(url=url), "job-1")
        lines = messages(client("logs", url), "job-1")
    assert answer["TrainingJobStatus"] == "Completed", lines
    assert ["1"] in list(lines.values())
