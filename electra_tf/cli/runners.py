"""Where records are built beyond one machine: flags of the engines."""

import dataclasses
from typing import TYPE_CHECKING, Any

from electra_tf.config import Options, field
from electra_tf.errors import require, require_packages

if TYPE_CHECKING:
    from electra_tf.data.records.settings import BuildSettings


@dataclasses.dataclass(frozen=True)
class RunnerOptions(Options):
    """Which engine shares a build out to workers.

    Attributes:
      runner: build on many machines: "dask", or a runner of Apache Beam:
        DirectRunner, DataflowRunner, FlinkRunner, SparkRunner, ... The records
        are the same.
      dask_scheduler: for --runner=dask: the scheduler's address, such as
        tcp://HOST:8786, or the file that it wrote for --scheduler-file. It has
        to be trusted, as objects are unpickled that come from it.
      beam_options: further options for Beam, in quotes and separated by spaces:
        --beam_options="--project=p --region=r".
    """

    runner: str = field("")
    dask_scheduler: str = field("")
    beam_options: str = field("")

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            bool(self.dask_scheduler) == self.is_on_dask,
            "--runner=dask and --dask_scheduler must be given together",
            f"--runner={self.runner} --dask_scheduler={self.dask_scheduler}",
        )
        require(
            not self.beam_options or self.is_on_beam,
            "--beam_options must come with a --runner of Beam",
            f"--runner={self.runner} --beam_options={self.beam_options}",
        )

    @property
    def is_on_dask(self) -> bool:
        """Whether the workers are those of a Dask scheduler."""
        return self.runner.lower() == "dask"

    @property
    def is_on_beam(self) -> bool:
        """Whether it is a pipeline of Beam."""
        return bool(self.runner) and not self.is_on_dask

    def build_records(
        self,
        inputs: tuple[str, ...],
        settings: "BuildSettings",
        **output: Any,
    ) -> None:
        """Makes records of files by the engine that `runner` names."""
        if self.is_on_dask:
            require_packages("--runner=dask needs", ("distributed",), "dask")
            from electra_tf.data.cluster.dask import build_records_on_dask

            build_records_on_dask(
                inputs,
                settings=settings,
                scheduler=self.dask_scheduler,
                **output,
            )
            return
        require_packages("--runner needs", ("apache_beam",), "beam")
        from electra_tf.data.cluster.beam import build_records_on_beam

        build_records_on_beam(
            inputs,
            settings=settings,
            runner=self.runner,
            beam_options=self.beam_options,
            **output,
        )
