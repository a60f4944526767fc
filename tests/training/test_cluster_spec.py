"""What TF_CONFIG and Slurm say of a cluster: a place in it, or one line."""

import json

import pytest
import tensorflow as tf
import tiny
from hypothesis import example, given, settings
from hypothesis import strategies as st

from electra_tf.config.execution import ExecutionConfig
from electra_tf.errors import InputError
from electra_tf.training.cluster_spec import place_of_tf_config
from electra_tf.training.distribution import make_distribution

A, B, C = "host-a:2222", "10.0.0.2:2222", "[::1]:2223"


def tf_config(cluster, kind="worker", index=0) -> str:
    return json.dumps(
        {"cluster": cluster, "task": {"type": kind, "index": index}}
    )


@pytest.mark.parametrize(
    ("cluster", "kind", "index", "addresses", "worker"),
    [
        ({"worker": [A]}, "worker", 0, [A], 0),
        ({"worker": [A, B, C]}, "worker", 2, [A, B, C], 2),
        ({"worker": [A, B]}, "worker", "1", [A, B], 1),
        ({"chief": [A]}, "chief", 0, [A], 0),
        # The chief is the first, and exactly one process is worker 0.
        ({"chief": [A], "worker": [B, C]}, "chief", 0, [A, B, C], 0),
        ({"chief": [A], "worker": [B, C]}, "worker", 0, [A, B, C], 1),
        ({"worker": [B, C], "chief": [A]}, "worker", 1, [A, B, C], 2),
    ],
)
def test_the_place_of_a_task(cluster, kind, index, addresses, worker):
    place = place_of_tf_config(tf_config(cluster, kind, index))
    assert (list(place.addresses), place.worker) == (addresses, worker)
    # TensorFlow counts its input pipelines in the same order.
    found = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec(cluster), kind, int(index)
    )
    from tensorflow.python.distribute import multi_worker_util

    number = multi_worker_util.id_in_cluster(
        found.cluster_spec(), kind, int(index)
    )
    assert number == worker


TWO = {"worker": [A, B]}
REFUSED = [
    ("no JSON", "TF_CONFIG: it must be JSON"),
    ("[]", "one JSON object; received 'list'"),
    ("{}", "an object 'cluster'"),
    (json.dumps({"cluster": TWO}), "an object 'task'"),
    (json.dumps({"cluster": TWO, "task": None}), "'task', that"),
    (json.dumps({"cluster": [A], "task": {"type": "worker"}}), "'cluster'"),
    (json.dumps({"cluster": TWO, "task": {"type": "worker"}}), "index"),
    (json.dumps({"cluster": TWO, "task": {"index": 0}}), "received None"),
    (tf_config({"ps": [A], **TWO}), "chief or worker: all train; received 'ps"),
    (tf_config(TWO, "ps"), "received 'ps'"),
    (tf_config(TWO, "evaluator"), "received 'evaluator'"),
    (tf_config(TWO, "master"), "received 'master'"),
    (tf_config(TWO, ["worker"]), "received ['worker']"),
    (tf_config(TWO, "chief"), "below its 0 chief tasks; received 0"),
    (tf_config(TWO, index=2), "below its 2 worker tasks; received 2"),
    (tf_config(TWO, index=-1), "a whole number from 0 on; received -1"),
    (tf_config(TWO, index=10**30), "received 1000000000000000000000000000000"),
    (tf_config(TWO, index=0.0), "received 0.0"),
    (tf_config(TWO, index=True), "received True"),
    (tf_config(TWO, index=None), "received None"),
    (tf_config({"chief": [A, B]}, "chief"), "one chief at most"),
    (tf_config({"chief": [A], "worker": [A]}), "may have one address"),
    (tf_config({"worker": A}), "worker must be a list of host:port"),
    (tf_config({"worker": None}), "list of host:port; received None"),
    (tf_config({"worker": {"0": A}}), "must be a list of host:port"),
    (tf_config({"worker": [A, None]}), "must be a list of host:port"),
    (tf_config({"worker": ["host"]}), "host:port; received ['host']"),
    (tf_config({"worker": ["host:"]}), "must be a list of host:port"),
    (tf_config({"worker": [":2222"]}), "must be a list of host:port"),
    (tf_config({"worker": ["host:0"]}), "must be a list of host:port"),
    (tf_config({"worker": ["host:65536"]}), "must be a list of host:port"),
    (tf_config({"worker": ["grpc://host:1"]}), "must be a list of host:port"),
]


@pytest.mark.parametrize(("text", "told"), REFUSED)
def test_a_cluster_that_is_none_is_refused(text, told, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(InputError) as caught:
        make_distribution(ExecutionConfig())
    assert told in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text() | st.sampled_from(["worker"]), inner)
    ),
    max_leaves=8,
)
JOBS = st.dictionaries(
    st.sampled_from(["worker", "chief", "ps", ""]),
    JSON | st.lists(st.sampled_from([A, B, C]) | JSON, max_size=3),
)
TASK = st.fixed_dictionaries(
    {}, optional={"type": st.sampled_from(["worker", "chief"]), "index": JSON}
)
WHOLE = st.fixed_dictionaries(
    {}, optional={"cluster": JOBS | JSON, "task": TASK | JSON}
)


@settings(max_examples=300, deadline=None)
@given(WHOLE.map(json.dumps) | JSON.map(json.dumps) | st.text())
@example("[" * 100_000)
@example('{"cluster": ' + "9" * 5000 + "}")
@example(tf_config(TWO, index="\u0662"))  # a digit, but not ASCII
def test_whatever_tf_config_is_there_is_a_place_or_one_line(text):
    try:
        place = place_of_tf_config(text)
    except InputError:
        return
    assert 0 <= place.worker < len(place.addresses)


SLURM = {
    "SLURM_STEP_NUM_TASKS": "2",
    "SLURM_PROCID": "1",
    "SLURM_STEP_NODELIST": "n[1-2]",
    "SLURM_STEP_TASKS_PER_NODE": "1(x2)",
    "CUDA_VISIBLE_DEVICES": "-1",
}


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("SLURM_STEP_NUM_TASKS", "two", "from 0 on; received 'two'"),
        ("SLURM_STEP_NUM_TASKS", "-1", "from 0 on; received '-1'"),
        ("SLURM_STEP_NUM_TASKS", "1" * 5000, "from 0 on; received '111"),
        ("SLURM_STEP_NUM_TASKS", "3", "3 tasks but only 2"),
        ("SLURM_PROCID", None, "SLURM_PROCID must be a whole number"),
        ("SLURM_PROCID", "", "SLURM_PROCID must be a whole number"),
        ("SLURM_PROCID", "-1", "from 0 on; received '-1'"),
        ("SLURM_PROCID", "2", "below SLURM_STEP_NUM_TASKS (2); received 2"),
        ("SLURM_STEP_NODELIST", "n[1-", "Invalid hostlist"),
        ("SLURM_STEP_NODELIST", None, "SLURM_STEP_NODELIST not found"),
        ("SLURM_STEP_TASKS_PER_NODE", "", "Invalid tasks-per-node"),
    ],
)
def test_a_slurm_step_that_is_none(name, value, told, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    for each, text in {**SLURM, name: value}.items():
        if text is None:
            monkeypatch.delenv(each, raising=False)
        else:
            monkeypatch.setenv(each, text)
    with pytest.raises(InputError) as caught:
        make_distribution(ExecutionConfig())
    assert told in str(caught.value)


@pytest.mark.parametrize("name", ["TF_CONFIG", "SLURM_STEP_NUM_TASKS"])
def test_an_empty_variable_is_as_none(name, monkeypatch):
    for each in ("TF_CONFIG", "SLURM_STEP_NUM_TASKS"):
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv(name, "")
    assert not make_distribution(ExecutionConfig()).addresses
    with pytest.raises(InputError, match="or a Slurm step"):
        make_distribution(ExecutionConfig(strategy="multi_worker"))


def test_a_run_in_such_a_cluster_makes_no_folder(
    records_dir, tmp_path, monkeypatch
):
    monkeypatch.setenv("TF_CONFIG", tf_config(TWO, "evaluator"))
    run = tmp_path / "run"
    finished = tiny.pretrain(model_dir=run, data_dir=records_dir)
    assert "received 'evaluator'" in finished.error()
    assert not list(tmp_path.iterdir())
