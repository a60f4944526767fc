"""A function over tasks in other processes, results in order."""

import collections
import concurrent.futures
import multiprocessing
import pickle
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

import tensorflow as tf

from electra_tf.errors import InputError

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")
_WAITING = 2  # tasks a process, so that a corpus is never in memory whole

_function = None  # in a process of the pool: what it calls


def ordered_map(
    make_function: Callable[[], Callable[[_Task], _Result]],
    tasks: Iterable[_Task],
    num_processes: int,
) -> Iterator[_Result]:
    """Yields function(task) for each task, in order.

    Args:
      make_function: called once in each process (so it must be picklable),
        gives the function.
      tasks: taken only as fast as results are.
      num_processes: 1 runs in this process.

    Raises:
      InputError: a process was killed, as happens where memory runs out;
        anything that a task raises.
    """
    if num_processes == 1:
        yield from map(make_function(), tasks)
        return
    # A forked child of a process that has run TensorFlow hangs.
    pool = concurrent.futures.ProcessPoolExecutor(
        num_processes,
        multiprocessing.get_context("spawn"),
        _start,
        # Pickled by us, to be unpickled after TensorFlow is set up there.
        (pickle.dumps(make_function),),
    )
    waiting = collections.deque()
    try:
        for task in tasks:
            waiting.append(pool.submit(_call, task))
            if len(waiting) >= _WAITING * num_processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool:
        raise InputError(
            f"One of {num_processes} processes ended before its work was done "
            "(is memory short?): try a smaller --num_processes."
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _start(pickled_make_function: bytes) -> None:
    global _function
    # One core a process, and no GPU: the parent may need it.
    tf.config.set_visible_devices([], "GPU")
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    _function = pickle.loads(pickled_make_function)()


def _call(task):
    return _function(task)
