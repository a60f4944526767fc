"""Asks a model of transformers about a batch; run by file, alone.

PyTorch's builds for GPUs bring an LLVM that ends a process in which
TensorFlow's is loaded, so nothing of electra_tf is imported. `verify.py`
starts it:

    python -P run_transformers.py <folder> <class> <batch.npz> <outputs.npz>
"""

import sys

import numpy as np


def main(folder: str, name: str, batch_file: str, output_file: str) -> int:
    """Writes hidden states [B, L, H], and logits where the class has them.

    Args:
      folder: what `from_pretrained` takes.
      name: of the class, such as ElectraForPreTraining.
      batch_file: .npz of `input_ids`, `attention_mask`, `token_type_ids`,
        int [B, L].
      output_file: .npz to write.
    """
    import torch
    import transformers

    try:
        model = getattr(transformers, name).from_pretrained(folder)
    except (OSError, ValueError) as error:  # an .h5, a path that is not local
        print(str(error).splitlines()[0], file=sys.stderr)
        return 1
    with np.load(batch_file) as batch:
        given = {n: torch.tensor(batch[n]).long() for n in batch.files}
    with torch.no_grad():
        found = model.float().eval()(**given, output_hidden_states=True)
    outputs = {"hidden states": found.hidden_states[-1]}
    if hasattr(found, "logits"):
        outputs["logits"] = found.logits
    arrays = {n: x.numpy() for n, x in outputs.items()}
    np.savez(output_file, **arrays)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
