"""Workers on sockets of this process: who answers, who is lost."""

import contextlib
import queue
import socket

import pytest

from electra_tf.training.workers import LostWorkers


@pytest.fixture
def three():
    """Three listening sockets, as TensorFlow's servers are."""
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            for _ in range(3)
        ]


def addresses(sockets):
    return [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]


def watch(sockets, worker=0):
    lines = queue.Queue()
    return LostWorkers(addresses(sockets), worker, 4.0, lines.put), lines


def test_the_one_that_is_gone_is_named(three):
    watching, lines = watch(three)
    gone = addresses(three)[2]
    watching.start()
    with pytest.raises(queue.Empty):
        lines.get(timeout=1.5)
    three[2].close()
    assert lines.get(timeout=4) == f"lost worker 2 ({gone})"
    watching.stop()


def test_nobody_is_lost_after_the_end(three):
    watching, lines = watch(three)
    watching.start()
    watching.stop()
    for each in three:
        each.close()
    with pytest.raises(queue.Empty):
        lines.get(timeout=1.5)


def test_a_look_finds_all_that_are_gone(three):
    watching, lines = watch(three, worker=1)
    watching.check()
    assert lines.empty()
    three[0].close()
    three[2].close()
    watching.check()
    found = [lines.get_nowait() for _ in range(2)]
    assert [line.split(" (")[0] for line in found] == [
        "lost worker 0",
        "lost worker 2",
    ]


def test_one_process_watches_nobody(three):
    watching, lines = watch(three[:1])
    watching.start()
    watching.check()
    assert lines.empty()
