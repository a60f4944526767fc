"""What can be looked at in a browser: a run's report, a model's answers."""

import dataclasses
import os

from electra_tf.cli.app import command
from electra_tf.config import GIVEN, Options, at_least, at_most, field
from electra_tf.errors import require, require_packages

NEEDED = ("starlette", "uvicorn", "httpx", "jinja2")


@dataclasses.dataclass(frozen=True)
class ReportOptions(Options):
    """Which runs, and where to write.

    Attributes:
      model_dir: run folder, or several with commas between: they share the
        charts.
      output_dir: where to write (default: report, in the first model_dir).
    """

    model_dir: tuple[str, ...] = field((), GIVEN)
    output_dir: str = field("")


@command(ReportOptions)
def report(options: ReportOptions) -> None:
    """Writes one HTML page and PNGs, and prints the page's path."""
    from electra_tf.report.page import write_report

    beside = os.path.join(options.model_dir[0].rstrip("/"), "report")
    print(write_report(options.model_dir, options.output_dir or beside))


@dataclasses.dataclass(frozen=True)
class DemoOptions(Options):
    """Whose answers to show, and where to listen.

    Attributes:
      saved_model: a model's base path, such as served/electra.
      backend: instead of --saved_model: a TensorFlow Serving, http://host:8501.
      model_name: what the server at --backend calls the model.
      host: address to listen at.
      port: port to listen at.
      allowed_hosts: names that requests may call this server by, with commas
        between, besides localhost, 127.0.0.1, [::1] and --host.
    """

    saved_model: str = field("")
    backend: str = field("")
    model_name: str = field("electra")
    host: str = field("127.0.0.1")
    port: int = field(8600, at_least(1), at_most(65535))
    allowed_hosts: tuple[str, ...] = field(())

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            bool(self.saved_model) != bool(self.backend),
            "one of --saved_model and --backend must be given",
            f"--saved_model={self.saved_model} --backend={self.backend}",
        )
        require(
            not self.backend or "://" in self.backend,
            "--backend must begin with http://",
            self.backend,
        )


@command(DemoOptions)
def demo(options: DemoOptions) -> None:
    """Serves a page where a sentence's tokens are judged, until stopped."""
    require_packages("the demo needs", NEEDED, "demo")
    import uvicorn

    from electra_tf.demo import LocalModel
    from electra_tf.demo.app import OWN_HOSTS, make_app

    if options.backend:
        name, local = options.model_name, None
    else:
        local = LocalModel(options.saved_model)
        name = local.name
    hosts = (*OWN_HOSTS, options.host, *options.allowed_hosts)
    shown = f"[{options.host}]" if ":" in options.host else options.host
    print(f"http://{shown}:{options.port}", flush=True)
    uvicorn.run(
        make_app(name, local, options.backend, hosts),
        host=options.host,
        port=options.port,
        log_level="warning",
    )
