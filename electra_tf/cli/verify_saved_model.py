"""`verify_saved_model.py`: does an export answer as the Keras model did?"""

from collections.abc import Sequence

from absl import flags

from electra_tf.cli.app import run
from electra_tf.errors import InputError


def define_flags() -> None:
    """How strictly; what to verify is the one argument."""
    flags.DEFINE_float(
        "tolerance",
        1e-5,
        "largest difference from the float32 Keras model that passes",
    )


def main(argv: Sequence[str]) -> int:
    """Prints the largest difference of each signature; 1 if one is too big."""
    from electra_tf.serving.warmup import verify_saved_model

    values = flags.FLAGS
    if len(argv) < 2:
        raise InputError("name a version's folder, such as served/electra/1")
    path = argv[1]
    found = verify_saved_model(path)
    worst = max(found, key=lambda difference: difference.largest)
    for loader in dict.fromkeys(d.loader for d in found):
        for signature in dict.fromkeys(d.signature for d in found):
            largest = max(
                d.largest
                for d in found
                if (d.loader, d.signature) == (loader, signature)
            )
            print(f"{loader:8} {signature:18} {largest:.2e}")
    passed = worst.largest < values.tolerance
    print(
        f"{path}: largest difference {worst.largest:.2e} ({worst.signature}, "
        f"{worst.output}), {'below' if passed else 'NOT below'} "
        f"{values.tolerance:g}"
    )
    return 0 if passed else 1


def entry() -> None:
    """Console script."""
    run(define_flags, main, max_arguments=1)
