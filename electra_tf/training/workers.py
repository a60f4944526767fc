"""Workers that start together, train together and end together."""

import contextlib
from collections.abc import Iterator

import tensorflow as tf

from electra_tf.config.execution import ExecutionConfig
from electra_tf.training.distribution import Distribution, make_distribution
from electra_tf.training.loop import Stopped
from electra_tf.training.lost_workers import LostWorkers, end_process


@contextlib.contextmanager
def joined_workers(config: ExecutionConfig) -> Iterator[Distribution]:
    """The run's devices; ends this process where another worker is lost.

    Who comes to the end, or stops at a signal, waits for the others to get
    there. An error ends one worker, and the others lose it.
    """
    distribution = make_distribution(config)
    watch = LostWorkers(
        distribution.addresses,
        distribution.worker,
        config.worker_timeout,
        end_process,
    )
    watch.start()
    try:
        yield distribution
    except Stopped:
        _leave(distribution, watch)
        raise
    except tf.errors.OpError:
        # Perhaps because another worker has gone, which the watch then sees.
        watch.check()
        raise
    _leave(distribution, watch)


def _leave(distribution: Distribution, watch: LostWorkers) -> None:
    distribution.agreed(0)
    watch.stop()
