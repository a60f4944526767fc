"""`demo.py`: a local page where a sentence's tokens are judged."""

from collections.abc import Sequence

from absl import flags

from electra_tf.cli.app import run
from electra_tf.errors import InputError, require_packages

NEEDED = ("starlette", "uvicorn", "httpx", "jinja2")


def define_flags() -> None:
    """Whose answers to show, and where to listen."""
    flags.DEFINE_string(
        "saved_model", "", "a model's base path, such as served/electra"
    )
    flags.DEFINE_string(
        "backend",
        "",
        "instead of --saved_model: a TensorFlow Serving, http://host:8501",
    )
    flags.DEFINE_string(
        "model_name", "electra", "what the server at --backend calls the model"
    )
    flags.DEFINE_string("host", "127.0.0.1", "address to listen at")
    flags.DEFINE_integer("port", 8600, "port to listen at", 1, 65535)


def main(argv: Sequence[str]) -> None:
    """Serves until it is interrupted."""
    values = flags.FLAGS
    if bool(values.saved_model) == bool(values.backend):
        raise InputError("give either --saved_model or --backend")
    if values.backend and "://" not in values.backend:
        raise InputError(
            f"--backend must begin with http://; received {values.backend!r}"
        )
    require_packages("the demo needs", NEEDED, "demo")
    import uvicorn

    from electra_tf.demo import LocalModel
    from electra_tf.demo.app import make_app

    if values.backend:
        name, local = values.model_name, None
    else:
        local = LocalModel(values.saved_model)
        name = local.name
    print(f"http://{values.host}:{values.port}", flush=True)
    uvicorn.run(
        make_app(name, local, values.backend),
        host=values.host,
        port=values.port,
        log_level="warning",
    )


def entry() -> None:
    """Console script."""
    run(define_flags, main)
