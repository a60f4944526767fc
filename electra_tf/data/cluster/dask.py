"""Text -> a records folder on a Dask cluster: what `build_records` makes."""

import asyncio
import contextlib
import functools
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from threading import Event, Thread
from typing import Any

import absl.logging
from distributed import Client, KilledWorker, Security, as_completed
from distributed.comm.core import CommClosedError, connect
from distributed.comm.registry import backends
from tqdm import tqdm

from electra_tf.data.cluster import (
    NumberedRange,
    Part,
    count_documents,
    number_documents,
    pack_range,
    write_shard,
)
from electra_tf.data.cluster.shared import (
    SharedBuild,
    numbered_ranges,
    shared_build,
)
from electra_tf.data.records.build import finish_build
from electra_tf.data.records.packer import Counted
from electra_tf.data.records.settings import BuildSettings
from electra_tf.data.text.cutting import TEXT_FIELD
from electra_tf.errors import InputError, require
from electra_tf.files import read_json

_CONNECT_SECONDS = 30
_SECONDS_BETWEEN_LOOKS = 10.0
# Of work that fails: a network file system does so now and then. Work that a
# lost worker had goes to another one in any case.
_RETRIES = 2
_UNREAD = "deserialization of the task graph"
# It logs with their way there the errors that we raise.
for _name in ("distributed", "distributed.client"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)


def build_records_on_dask(
    inputs: Sequence[str],
    output_dir: str,
    settings: BuildSettings,
    scheduler: str,
    num_shards: int = 8,
    overwrite: bool = False,
    progress: bool = True,
    text_field: str = TEXT_FIELD,
) -> dict[str, Any]:
    """Makes pre-training records of text files by the workers of a scheduler.

    Examples, their order, stats and fingerprint are those of `build_records`
    on the same files; shards are those of `build_records_on_beam`. Scheduler,
    workers and this process unpickle what they get from one another, so all
    of them have to be trusted.

    Args:
      inputs: files, globs, or directories, which all workers can read.
      output_dir: the records folder, which all workers can write.
      settings: what the examples depend on.
      scheduler: its address, such as "tcp://host:8786", or the file that it
        wrote for `--scheduler-file`.
      num_shards, overwrite, text_field: as for `build_records`.
      progress: show bars, and print what came out.

    Returns:
      The manifest.

    Raises:
      InputError: as `build_records`; no scheduler there, one that ends, work
        at which worker after worker ends. Nothing half-written is left.
    """
    address = _find_address(scheduler)
    ranges = numbered_ranges(inputs, text_field)
    with shared_build(output_dir, num_shards, overwrite) as build:
        # Closed before the folder is: what has not begun never will.
        with _connect(address) as client, _naming_losses(client, address):
            cluster = _Cluster(client, progress)
            counted = _write_shards(cluster, ranges, settings, build)
        return finish_build(build.folder, settings, counted, progress)


def _write_shards(
    cluster: "_Cluster",
    ranges: Sequence[NumberedRange],
    settings: BuildSettings,
    build: SharedBuild,
) -> Counted:
    """Writes all shards; returns what was counted."""
    counts = cluster.map("counting documents", count_documents, ranges)
    pack = functools.partial(
        pack_range,
        numbering=number_documents(list(counts)),
        settings=settings,
        pack=settings.pack_function(),
        scratch=build.scratch,
        splits=list(build.splits),
    )
    parts: list[Part] = []
    total = Counted.nothing(settings.tokenizer.vocab_size)
    for part, counted in cluster.map("packing ranges", pack, ranges):
        parts.append(part)
        total.add(counted)
    write = functools.partial(write_shard, parts=sorted(parts))
    for _ in cluster.map("writing shards", write, build.shards()):
        pass
    return total


class _Cluster:
    """The workers of a scheduler.

    Args:
      client: of the scheduler.
      progress: show a bar for each call.
    """

    def __init__(self, client: Client, progress: bool):
        self._client, self._progress = client, progress

    def map(
        self,
        name: str,
        function: Callable[[Any], Any],
        items: Sequence[Any],
    ) -> Iterator[Any]:
        """Yields function(item) for every item, as each is done.

        Args:
          name: of what is done, for the bar.
          function: sent to each worker once.
          items: one a task.
        """
        # Work like any other, it is done again where its worker is lost;
        # scattered data would be gone.
        sent = self._client.submit(_itself, function, pure=False)
        tasks = self._client.map(
            _call, items, function=sent, pure=False, retries=_RETRIES
        )
        done = as_completed(tasks, loop=self._client.loop)
        del tasks  # so that workers forget what has been fetched
        with tqdm(
            total=len(items),
            desc=name,
            disable=None if self._progress else True,  # None: on a terminal
        ) as bar:
            for task in done:
                yield task.result()
                bar.update()


def _itself(value):
    return value


def _call(item, function):
    return function(item)


def _find_address(scheduler: str) -> str:
    """The address of a scheduler that is given by address or file."""
    if scheduler.partition("://")[0] in backends:
        return scheduler
    rule = (
        "--dask_scheduler must be an address such as tcp://HOST:8786, or the "
        "file that the scheduler wrote for --scheduler-file"
    )
    address = read_json(scheduler, rule).get("address")
    require(isinstance(address, str), f"{rule}, with its address", address)
    return address


@contextlib.contextmanager
def _connect(address: str) -> Iterator[Client]:
    security = Security()  # of Dask's configuration
    arguments = security.get_connection_args("client")
    require(
        arguments["ssl_context"] is not None or not address.startswith("tls:"),
        "a scheduler at tls:// must come with certificates in Dask's "
        "configuration (distributed.comm.tls)",
        address,
    )
    try:
        # A client that cannot connect complains once more when it is deleted.
        asyncio.run(_try_connection(address, arguments))
    except (OSError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(
            "--dask_scheduler must be where a scheduler answers; received "
            f"{address!r} ({reason}): start one with `dask scheduler`"
        ) from None
    with Client(address, security=security, set_as_default=False) as client:
        ended = Event()
        Thread(
            target=_watch_workers, args=(client, address, ended), daemon=True
        ).start()
        try:
            yield client
        finally:
            ended.set()


def _watch_workers(client: Client, address: str, ended: Event) -> None:
    """Says so, once each time, when there is no worker to wait for."""
    is_alone = False
    while not ended.is_set():
        with contextlib.suppress(Exception):  # A lost scheduler is told of.
            was_alone, is_alone = is_alone, not client.nthreads()
            if is_alone and not was_alone:
                absl.logging.warning(
                    "The scheduler at %s has no worker: waiting for one. A "
                    "worker ends at once where electra_tf is not installed.",
                    address,
                )
        ended.wait(_SECONDS_BETWEEN_LOOKS)


async def _try_connection(address: str, arguments: dict[str, Any]) -> None:
    connection = await connect(address, _CONNECT_SECONDS, **arguments)
    await connection.close()


@contextlib.contextmanager
def _naming_losses(client: Client, address: str) -> Iterator[None]:
    """Raises an InputError where processes of the cluster are lost."""
    try:
        yield
    except KilledWorker as error:
        raise InputError(
            "workers must live until their work is done; received the end of "
            "one after the other at the same work (is memory short?): "
            f"the last was {error.last_worker.address}"
        ) from None
    except InputError:
        raise
    except Exception as error:
        if _UNREAD in str(error):
            raise InputError(
                "the scheduler and its workers must have this process' "
                "versions of electra_tf, Python and Dask; received a scheduler "
                f"at {address} that cannot read the work: install them there"
            ) from None
        is_lost = isinstance(error, CancelledError | CommClosedError)
        if client.status == "running" and not is_lost:
            raise
        raise InputError(
            "the scheduler must live until the records are built; received "
            f"the end of the connection with {address}: nothing was written; "
            "start the command again"
        ) from None
