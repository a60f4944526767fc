"""How large a run is: parameters of each part, bytes of a step."""

from electra_tf.config.description import Part
from electra_tf.config.objectives import describe
from electra_tf.config.pretraining import ElectraConfig, PretrainingConfig
from electra_tf.config.sizes import num_slots
from electra_tf.training.cost import TOWERS, Network, networks

_BYTES_A_VALUE = 4  # float32


def count_parameters(config: PretrainingConfig) -> dict[str, int]:
    """Parameters of each part; what two networks share stands there once.

    "embeddings" are the word, position and segment tables with their
    LayerNorm. An encoder is its blocks, and the projection in front of them
    where widths differ. The masked-LM head is without its word table, which
    is the embeddings' own. Parts that the configuration lacks are absent; with
    tying=all the generator's encoder has 0 parameters of its own.
    """
    model = config.model
    description = describe(config.objective.objective)
    generators = networks(config)
    main = generators.pop(description.main.name)
    parts = {"embeddings": _embeddings(model, main)}
    encoder, head = "encoder", "masked-LM head"
    if description.has_generator:
        name = description.main.name
        encoder, head = f"{name} encoder", f"{name} head"
        parts |= _generator(model, list(generators.values()))
    for part in description.parts:
        if part.reads == "generator":
            parts[part.name] = _part(generators["generator"], part)
    parts[encoder] = _encoder(main)
    parts[head] = _part(main, description.main)
    after = [p for p in description.parts if p.reads == "main"]
    return parts | {part.name: _part(main, part) for part in after}


def _part(read: Network, part: Part) -> int:
    """A head, and the blocks that stand before it, on what it reads."""
    hidden = read.hidden_size
    tokens = _masked_lm_head(read)
    heads = {
        "tokens": tokens,
        "copying": tokens + _dense(hidden, 1),
        "detection": _dense(hidden, hidden) + _dense(hidden, 1),
        "selection": tokens,
        "value": _dense(hidden, 1),
    }
    return part.blocks * _block(read) + heads[part.head]


def _generator(model: ElectraConfig, encoders: list[Network]) -> dict[str, int]:
    """Of its encoders, all alike: one, two towers, or none."""
    if not encoders:
        return {}
    first, parts = encoders[0], {}
    if model.tying not in ("embeddings", "all"):
        parts["generator embeddings"] = _embeddings(model, first)
    shared = model.tying == "all"
    parts["generator encoder"] = (
        0 if shared else len(encoders) * _encoder(first)
    )
    head = _masked_lm_head(first, len(encoders))
    return {**parts, "generator head": head}


def _dense(inputs: int, outputs: int) -> int:
    return inputs * outputs + outputs


def _embeddings(model: ElectraConfig, network: Network) -> int:
    rows = network.vocab_size + network.segments
    # Two more are the LayerNorm's.
    return (rows + model.max_position_embeddings + 2) * network.table_width


def _encoder(network: Network) -> int:
    width, hidden = network.table_width, network.hidden_size
    projection = _dense(width, hidden) if width != hidden else 0
    return projection + network.num_layers * _block(network)


def _block(network: Network) -> int:
    hidden, wide = network.hidden_size, network.feed_forward_width
    norms = 2 * 2 * hidden
    feed_forward = _dense(hidden, wide) + _dense(wide, hidden)
    return 4 * _dense(hidden, hidden) + feed_forward + norms


def _masked_lm_head(network: Network, towers: int = 1) -> int:
    """Dense, LayerNorm and bias, on the states of one encoder or of two."""
    width = network.table_width
    dense = _dense(towers * network.hidden_size, width)
    return dense + 2 * width + network.vocab_size


def weight_bytes(config: PretrainingConfig) -> int:
    """Bytes of weights, gradients and optimizer state.

    Four float32 values a parameter: itself, its gradient, Adam's m and v.
    """
    return 4 * _BYTES_A_VALUE * sum(count_parameters(config).values())


def activation_bytes(config: PretrainingConfig) -> int:
    """Bytes of what the forward pass keeps for the backward pass, estimated.

    In float32 values a sequence, for networks of width H, feed-forward width
    I and N heads on embeddings of width E:

        L n (10 H + 3 I + 3 N L)  the n blocks: their input, q, k, v, context,
                                  two dropout masks, two normalised sums and
                                  what stands between; GELU's input, Phi and
                                  output; probabilities, their dropout mask
                                  and product
        L 3 E                     embeddings: normalised, mask, output
        L 3 H                     the detection head's GELU
        M (5 E + 4 V)             the masked-LM head at M slots: its GELU and
                                  LayerNorm; logits, their gradient, the
                                  sampler's weights, one in passing; at L
                                  places of two towers and all_tokens_mlm

    Measured on a CPU, the peak's slope over the batch size lies within a
    fifth of this: per sequence Small took 65 MB at length 128 (65 here) and
    337 at 512 (404), three layers of Base at 512 took 401 (343). TensorFlow
    itself, its buffers and what XLA fuses are not considered.
    """
    parts, length = networks(config), config.data.max_seq_length
    values = 0
    for network in parts.values():
        block = 10 * network.hidden_size + 3 * network.feed_forward_width
        block += 3 * network.heads * length
        values += length * network.num_layers * block
        values += length * 3 * network.table_width
    values += _head_values(config, parts)
    return _BYTES_A_VALUE * values * config.optimizer.train_batch_size


def _head_values(config: PretrainingConfig, parts: dict[str, Network]) -> int:
    length = config.data.max_seq_length
    masked = config.objective
    slots = num_slots(max(masked.mask_prob, masked.mask_prob_end), length)
    main = describe(config.objective.objective).main
    # Places at which each network scores the vocabulary.
    scored = {"generator": slots, TOWERS[0]: length}
    if main.head in ("tokens", "copying"):
        scored[main.name] = slots if main.at_slots else length
    values = 0
    for name, network in parts.items():
        each = 5 * network.table_width + 4 * network.vocab_size
        values += scored.get(name, 0) * each
        if name == main.name and main.head == "detection":
            values += length * 3 * network.hidden_size
    return values
