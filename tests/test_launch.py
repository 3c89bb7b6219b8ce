"""The scripts that start many processes: what --dry-run says, what is refused, and files as their readers take them."""

import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml

from places import ROOT

LAUNCH = ROOT / "launch"
SCRIPTS = [*sorted(path.name for path in LAUNCH.glob("*.sh")), "slurm.sbatch"]
STARTS = ["slurm.sbatch", "mpirun.sh", "tpu_vm.sh", "kubernetes.sh", "skypilot.sh", "container.sh"]
"""Those that have --dry-run."""
RUN = ["--experiment=jena_lstm", "--set=file=it's a file", "--set=x=$(touch hurt);*"]


def call(script, *arguments, cwd=None, **environment):
    """As a user would, nothing of a scheduler around it."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM_", "OMPI_", "SEQJAX_"))}
    kept |= {"SEQJAX_VENV": os.path.dirname(os.path.dirname(sys.executable)), **environment}
    command = ["bash", str(LAUNCH / script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=kept, check=False)


def words_of(line):
    """As a shell takes the printed line."""
    done = subprocess.run(["bash", "-c", f"printf '%s\\0' {line}"], capture_output=True, text=True, check=True)
    return done.stdout.split("\0")[:-1]


def test_shellcheck_finds_nothing():
    if shutil.which("shellcheck") is None:
        pytest.skip("no shellcheck here")
    files = [str(LAUNCH / name) for name in [*SCRIPTS]] + [str(ROOT / ".ci" / "run")]
    command = ["shellcheck", "--external-sources", "--source-path=SCRIPTDIR", "--severity=warning", *files]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", STARTS)
def test_the_head_of_a_script_tells_of_its_flags_and_variables(name):
    text = (LAUNCH / name).read_text()
    head = "\n".join(line for line in text.split("set -euo")[0].splitlines() if line.startswith("#"))
    assert "--dry-run" in head
    read = set(re.findall(r"\$\{(SEQJAX_[A-Z]+|SKYPILOT_OPTIONS|TPU|ZONE|PROJECT|TYPE|VERSION|SPOT)\b", text))
    assert {name for name in read if name not in head} == set()


def test_slurm_says_what_a_job_would_do(tmp_path):
    done = call("slurm.sbatch", "--dry-run", *RUN, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    made, line = done.stdout.splitlines()
    assert made == "mkdir -p logs"
    assert words_of(line)[-5:] == ["-m", "seqjax.main", *RUN]
    assert "--kill-on-bad-exit=1 --open-mode=append --output=logs/%j.%t.log" in line
    assert list(tmp_path.iterdir()) == []
    array = call("slurm.sbatch", "--dry-run", "--seeds=4", SLURM_ARRAY_TASK_ID="3")
    assert array.stdout.splitlines()[-1].endswith("--seeds=4 --members=shared --distributed=off")
    assert "logs/%A_%a.%t.log" in array.stdout
    image = call("slurm.sbatch", "--dry-run", "--seeds=4", SEQJAX_IMAGE="seqjax.sif")
    assert "apptainer exec --nv seqjax.sif python -m seqjax.main" in image.stdout


def test_slurm_is_told_to_requeue_and_whom_to_warn():
    lines = (LAUNCH / "slurm.sbatch").read_text().splitlines()
    asked = [line.removeprefix("#SBATCH ") for line in lines if line.startswith("#SBATCH ")]
    assert {"--requeue", "--signal=TERM@300", "--open-mode=append", "--output=seqjax.%j.log"} <= set(asked)
    first = next(number for number, line in enumerate(lines) if not line.startswith("#"))
    assert all(line.startswith("#") for line in lines[:first])  # sbatch reads no further


def test_mpirun_says_what_it_would_do(tmp_path):
    done = call("mpirun.sh", "--dry-run", "-np", "2", "--", *RUN, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    made, line = done.stdout.split("\n", 1)
    assert made == f"mkdir -p {tmp_path / 'logs'}"
    words = words_of(line.strip())
    assert words[:4] == ["exec", "mpirun", "--bind-to", "none"]
    assert words[words.index("-np") + 1] == "2"
    assert words[-5:] == ["-m", "seqjax.main", *RUN]
    assert list(tmp_path.iterdir()) == []


def test_a_tpu_mounts_the_bucket_of_the_run():
    place = {"TPU": "mine", "ZONE": "here"}
    done = call("tpu_vm.sh", "--dry-run", "run", *RUN, "--workdir=gs://bucket/runs/x", **place)
    assert done.returncode == 0, done.stderr
    words = words_of(done.stdout.strip())
    assert words[:6] == ["gcloud", "compute", "tpus", "tpu-vm", "ssh", "mine"]
    assert {"--zone=here", "--worker=all"} <= set(words)
    there = words[-1].removeprefix("--command=")
    assert "gcsfuse --implicit-dirs --rename-dir-limit=10000 bucket /mnt/seqjax/bucket" in there
    assert words_of(there.split("seqjax.main ")[1].split(" >>")[0]) == [*RUN, "--workdir=/mnt/seqjax/bucket/runs/x"]
    for what in ("create", "setup", "stop", "delete"):
        assert call("tpu_vm.sh", "--dry-run", what, **place).returncode == 0
    assert subprocess.run(["bash", "-n", "-c", there]).returncode == 0


@pytest.mark.parametrize(
    ("script", "arguments", "said"),
    [
        ("slurm.sbatch", ["--experiment=x"], "this is no job of Slurm"),
        ("mpirun.sh", ["-np", "2", "--experiment=x"], "no -- between"),
        ("tpu_vm.sh", ["run"], "name the TPU VM and its zone"),
        ("kubernetes.sh", ["--kind=vax"], "choose --kind=gpu|tpu|workers"),
        ("kubernetes.sh", ["--count=many"], "many is no number"),
        ("kubernetes.sh", ["--count=0"], "at least one pod"),
        ("kubernetes.sh", ["--name=Mine"], "--name=Mine: small letters"),
        ("skypilot.sh", ["--experiment=x"], "needs a folder that all see"),
        ("container.sh", ["--extra=rocm"], "choose --extra=cuda|tpu|none"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_line(script, arguments, said):
    done = call(script, *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("seqjax: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_missing_environment_is_said():
    done = call("mpirun.sh", "-np", "1", "--", "--list", SEQJAX_VENV="/nowhere")
    assert done.returncode == 2
    assert "launch/local.sh --list" in done.stderr or "no mpirun" in done.stderr


def filled(kind, *arguments):
    """The documents that launch/kubernetes.sh would send."""
    done = call("kubernetes.sh", "--dry-run", f"--kind={kind}", *arguments)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def pods_of(documents):
    """(JobSpec, its container) of a file."""
    last = documents[-1]["spec"]
    job = last if "replicatedJobs" not in last else last["replicatedJobs"][0]["template"]["spec"]
    (container,) = job["template"]["spec"]["containers"]
    return job, container


@pytest.mark.parametrize("kind", ["gpu", "tpu", "workers"])
def test_kubernetes_files_hold_together(kind):
    given = ("--name=mine", "--count=3", "--image=r.io/s:1", "--", *RUN)
    for documents in (filled(kind), filled(kind, *given)):
        name = documents[-1]["metadata"]["name"]
        job, container = pods_of(documents)
        assert job["parallelism"] == job["completions"]
        assert job["completionMode"] == "Indexed"
        pod = job["template"]["spec"]
        assert pod["restartPolicy"] == "Never"
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        assert {mount["name"] for mount in container["volumeMounts"]} == volumes.keys()
        assert (
            volumes["runs"]["persistentVolumeClaim"]["claimName"] == documents[0]["metadata"]["name"] == f"{name}-runs"
        )
        assert documents[0]["spec"]["accessModes"] == ["ReadWriteMany"]
        if kind != "workers":
            service, jobset = documents[1:]
            assert service["metadata"]["name"] == jobset["spec"]["network"]["subdomain"] == name
            assert service["spec"]["clusterIP"] == "None"
            assert service["spec"]["selector"] == {"jobset.sigs.k8s.io/jobset-name": name}
    assert container["image"] == "r.io/s:1"
    assert job["parallelism"] == 3
    assert container["args"][-3:] == RUN
    if kind == "gpu":
        assert container["args"][:2] == ["--coordinator=mine-workers-0-0.mine:8476", "--process_count=3"]


@pytest.mark.parametrize("kind", ["gpu", "tpu", "workers"])
def test_kubernetes_files_are_what_the_schemas_ask_for(kind):
    check = pytest.importorskip("kubernetes_validate", reason="the extra `launch` brings it").validate
    models = pytest.importorskip("kubeflow_trainer_api.models", reason="the extra `launch` brings it")
    for document in filled(kind):
        if document["kind"] != "JobSet":
            check(document, "1.34", strict=True)
            continue
        again = models.JobsetV1alpha2JobSet.from_dict(document).to_dict()
        for job in again["spec"]["replicatedJobs"]:
            for container in job["template"]["spec"]["template"]["spec"]["containers"]:
                for port in container["ports"]:
                    port.pop("protocol")  # which has a default
        assert again == document  # a field that it does not know would be lost
        for job in document["spec"]["replicatedJobs"]:
            check(
                {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "x"}, **job["template"]},
                "1.34",
                strict=True,
            )


def test_skypilot_names_its_nodes():
    task = yaml.safe_load((LAUNCH / "skypilot.yaml").read_text())
    known = {"name", "num_nodes", "workdir", "resources", "envs", "file_mounts", "setup", "run"}
    assert task.keys() == known
    assert all(name in task["run"] for name in ("SKYPILOT_NODE_IPS", "SKYPILOT_NUM_NODES", "SKYPILOT_NODE_RANK"))
    assert "--workdir=/runs/" in task["envs"]["FLAGS"]
    assert "/runs" in task["file_mounts"]
    for part in ("setup", "run"):
        assert subprocess.run(["bash", "-n", "-c", task[part]]).returncode == 0
    done = call("skypilot.sh", "--dry-run", "--experiment=x", "--workdir=/runs/x", SKYPILOT_OPTIONS="--num-nodes 4")
    words = words_of(done.stdout.strip())
    assert words[:5] == ["sky", "jobs", "launch", "--num-nodes", "4"]
    assert words[-1] == "FLAGS=--experiment=x --workdir=/runs/x"


def test_the_container_builds_on_a_slim_python_what_is_there():
    lines = (LAUNCH / "Containerfile").read_text().splitlines()
    assert [line for line in lines if line.startswith("FROM")] == ["FROM python:3.12-slim"]
    copied = [word for line in lines if line.startswith("COPY") for word in line.split()[1:-1]]
    assert [name for name in copied if not (ROOT / name).exists()] == []
    words = words_of(call("container.sh", "--dry-run", "--extra=none", "--push").stdout.splitlines()[0])
    assert words[1:] == [
        "build",
        "--file",
        str(LAUNCH / "Containerfile"),
        "--build-arg",
        "EXTRA=",
        "--tag",
        "seqjax:none",
        str(ROOT),
    ]


def test_hadolint_finds_nothing():
    hadolint = shutil.which("hadolint") or shutil.which("hadolint", path=os.path.dirname(sys.executable))
    if hadolint is None:
        pytest.skip("no hadolint here: the extra `launch` brings it")
    done = subprocess.run([hadolint, str(LAUNCH / "Containerfile")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
