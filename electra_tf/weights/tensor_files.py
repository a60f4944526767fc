import os

from electra_tf.weights.record import LazyArrays

TENSOR_FILES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "tf_model.h5",
    "pytorch_model.bin",
)


def open_tensors(folder):
    import h5py
    from safetensors.numpy import load_file

    if os.path.exists(folder + "/model.safetensors"):
        d = load_file(folder + "/model.safetensors")
        k = "safetensors"
    else:
        d = {}
        k = "h5"
        f = h5py.File(folder + "/tf_model.h5")
        f.visititems(
            lambda n, o: (
                d.__setitem__(n, o[()]) if hasattr(o, "shape") else None
            )
        )
    a = LazyArrays(d, d.__getitem__)
    a.kind = k
    return a
