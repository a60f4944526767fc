"""How large a run is: parameters of each part, bytes of a step."""

from electra_tf.config.description import Part
from electra_tf.config.objectives import describe
from electra_tf.config.pretraining import ElectraConfig, PretrainingConfig
from electra_tf.config.sizes import generator_sizes, num_slots
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
    parts = {"embeddings": _embeddings(model, model.embedding_size)}
    encoder, head = "encoder", "masked-LM head"
    if description.has_generator:
        name = description.main.name
        encoder, head = f"{name} encoder", f"{name} head"
        parts |= _generator(model)
    before = [p for p in description.parts if p.reads == "generator"]
    parts |= {part.name: _part(model, part) for part in before}
    parts[encoder] = _encoder(
        model.embedding_size,
        model.hidden_size,
        model.intermediate_size,
        model.num_hidden_layers,
    )
    parts[head] = _part(model, description.main)
    after = [p for p in description.parts if p.reads == "main"]
    return parts | {part.name: _part(model, part) for part in after}


def _part(model: ElectraConfig, part: Part) -> int:
    """A head, and the blocks that stand before it."""
    hidden = model.hidden_size
    if part.reads == "generator":
        hidden = generator_sizes(model).hidden_size
    tokens = _masked_lm_head(model, hidden, model.embedding_size)
    heads = {
        "tokens": tokens,
        "copying": tokens + _dense(hidden, 1),
        "detection": _dense(hidden, hidden) + _dense(hidden, 1),
        "selection": tokens,
        "value": _dense(hidden, 1),
    }
    blocks = part.blocks * _block(hidden, model.intermediate_size)
    return blocks + heads[part.head]


def _generator(model: ElectraConfig) -> dict[str, int]:
    towers = {"transformer": 1, "two_tower": 2}.get(model.generator, 0)
    if not towers:
        return {}
    if model.tying == "all":
        head = _masked_lm_head(model, model.hidden_size, model.embedding_size)
        return {"generator encoder": 0, "generator head": head}
    sizes = generator_sizes(model)
    parts, width = {}, model.embedding_size
    if model.tying == "none":
        width = sizes.hidden_size
    if model.tying != "embeddings":
        parts["generator embeddings"] = _embeddings(model, width)
    parts["generator encoder"] = towers * _encoder(
        width,
        sizes.hidden_size,
        sizes.intermediate_size,
        sizes.num_hidden_layers,
    )
    head = _masked_lm_head(model, towers * sizes.hidden_size, width)
    return {**parts, "generator head": head}


def _dense(inputs: int, outputs: int) -> int:
    return inputs * outputs + outputs


def _layer_norm(width: int) -> int:
    return 2 * width


def _embeddings(model: ElectraConfig, width: int) -> int:
    rows = model.vocab_size + model.max_position_embeddings
    return (rows + model.type_vocab_size) * width + _layer_norm(width)


def _encoder(width: int, hidden: int, intermediate: int, layers: int) -> int:
    projection = _dense(width, hidden) if width != hidden else 0
    return projection + layers * _block(hidden, intermediate)


def _block(hidden: int, intermediate: int) -> int:
    attention = 4 * _dense(hidden, hidden) + _layer_norm(hidden)
    feed_forward = _dense(hidden, intermediate) + _dense(intermediate, hidden)
    return attention + feed_forward + _layer_norm(hidden)


def _masked_lm_head(model: ElectraConfig, hidden: int, width: int) -> int:
    return _dense(hidden, width) + _layer_norm(width) + model.vocab_size


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
    slots = num_slots(config.objective.mask_prob, length)
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
