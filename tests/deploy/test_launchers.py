"""The launchers' own logic: who is which worker, and what starts again."""

import json
import os
import pathlib
import stat
import subprocess

import pytest
import tensorflow as tf
import yaml

DEPLOY = pathlib.Path(__file__).parents[2] / "deploy"
HOSTS = [f"n{i}" for i in range(1, 12)]

# As Slurm: ranks in the order of the host file.
SRUN = """#!/bin/bash
while [ "$1" != electra-pretrain ]; do
  echo "srun $1" >>"$LOG"; shift
done
rank=0
worst=0
while read -r host; do
  SLURM_PROCID=$rank ON_HOST=$host "$@" || worst=$?
  rank=$((rank + 1))
done <"$SLURM_HOSTFILE"
exit $worst
"""
SCONTROL = """#!/bin/bash
case "$1 $2" in
  "show hostnames") tr , '\\n' <<<"$3" ;;
  *) echo "scontrol $*" >>"$LOG" ;;
esac
"""
PRETRAIN = """#!/bin/bash
echo "rank $SLURM_PROCID $ON_HOST $*" >>"$LOG"
[ "$SLURM_PROCID" != 1 ] || exit "$CODE"
"""


@pytest.fixture
def slurm(tmp_path):
    """Runs the script with stand-ins; gives (exit code, log)."""
    for name, text in (
        ("srun", SRUN),
        ("scontrol", SCONTROL),
        ("electra-pretrain", PRETRAIN),
    ):
        path = tmp_path / name
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def run(code, restarts):
        log = tmp_path / "log"
        log.write_text("")
        environment = {
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "LOG": str(log),
            "CODE": str(code),
            "SLURM_JOB_ID": "77",
            "SLURM_JOB_NODELIST": ",".join(HOSTS),
            "SLURM_CPUS_PER_TASK": "32",
            "SLURM_JOB_NUM_NODES": str(len(HOSTS)),
            "SLURM_RESTART_COUNT": str(restarts),
        }
        finished = subprocess.run(
            ["bash", str(DEPLOY / "slurm.sbatch"), "--model_dir=a b"],
            env=environment,
            capture_output=True,
            check=False,
        )
        assert not finished.stderr
        return finished.returncode, log.read_text().splitlines()

    return run


@pytest.mark.parametrize(
    ("code", "restarts", "end", "requeued"),
    [
        (0, 0, 0, False),
        (2, 0, 2, False),
        (42, 0, 0, True),
        (42, 99, 0, True),
        (3, 0, 0, True),
        (137, 4, 0, True),
        (3, 5, 3, False),
    ],
)
def test_what_slurm_starts_again(slurm, code, restarts, end, requeued):
    found, log = slurm(code, restarts)
    assert found == end
    assert ("scontrol requeue 77" in log) is requeued


def test_slurm_ranks_run_where_tensorflow_looks_for_them(slurm, monkeypatch):
    _, log = slurm(0, 0)
    ranks = [line.split() for line in log if line.startswith("rank")]
    assert len(ranks) == len(HOSTS)
    for name, value in {
        "STEP_NUM_TASKS": "11",
        "STEP_NODELIST": "n[1-11]",
        "STEP_TASKS_PER_NODE": "1(x11)",
    }.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    for _, rank, host, *flags in ranks:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3,4,5,6,7")
        monkeypatch.setenv("SLURM_PROCID", rank)
        resolver = tf.distribute.cluster_resolver.SlurmClusterResolver()
        spec = resolver.cluster_spec()
        assert resolver.get_task_info() == ("worker", int(rank))
        assert spec.task_address("worker", int(rank)) == f"{host}:8888"
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1,2,3,4,5,6,7"
        assert flags[:2] == ["--model_dir=a", "b"]
        assert "--preempted_exit_code=42" in flags
    assert "srun --ntasks=11" in log
    assert "srun --distribution=arbitrary" in log


@pytest.fixture(scope="module")
def kubernetes():
    text = (DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8")
    return {document["kind"]: document for document in yaml.safe_load_all(text)}


def pod(kubernetes):
    return kubernetes["Job"]["spec"]["template"]["spec"]


def test_every_pod_gets_its_tf_config(kubernetes, tmp_path, monkeypatch):
    job, (container,) = kubernetes["Job"], pod(kubernetes)["containers"]
    service = kubernetes["Service"]["metadata"]["name"]
    (port,) = kubernetes["Service"]["spec"]["ports"]
    number = job["spec"]["completions"]
    stand_in = tmp_path / "electra-pretrain"
    stand_in.write_text('#!/bin/sh\nprintf "%s" "$TF_CONFIG"\n')
    stand_in.chmod(0o755)
    (workers,) = container["env"]
    for index in range(number):
        text = subprocess.run(
            [*container["command"], *container["args"]],
            env={
                "PATH": f"{tmp_path}:{os.environ['PATH']}",
                "JOB_COMPLETION_INDEX": str(index),
                workers["name"]: workers["value"],
            },
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        name = job["metadata"]["name"]
        assert json.loads(text) == {
            "cluster": {
                "worker": [
                    f"{name}-{i}.{service}:{port['port']}"
                    for i in range(number)
                ]
            },
            "task": {"type": "worker", "index": index},
        }
        monkeypatch.setenv("TF_CONFIG", text)
        resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
        assert resolver.cluster_spec().num_tasks("worker") == number
        assert (resolver.task_type, resolver.task_id) == ("worker", index)


def test_the_parts_of_the_kubernetes_file_fit(kubernetes):
    job, service = kubernetes["Job"]["spec"], kubernetes["Service"]
    (container,) = pod(kubernetes)["containers"]
    assert job["completionMode"] == "Indexed"
    assert job["completions"] == job["parallelism"]
    assert pod(kubernetes)["subdomain"] == service["metadata"]["name"]
    assert pod(kubernetes)["restartPolicy"] == "Never"
    (label,) = service["spec"]["selector"].items()
    name = kubernetes["Job"]["metadata"]["name"]
    assert label == ("batch.kubernetes.io/job-name", name)
    actions = {
        code: rule["action"]
        for rule in job["podFailurePolicy"]["rules"]
        if "onExitCodes" in rule
        for code in rule["onExitCodes"]["values"]
        if rule["onExitCodes"]["containerName"] == container["name"]
    }
    assert actions == {2: "FailJob", 42: "Ignore"}
    assert "--preempted_exit_code=42" in container["args"][0]
