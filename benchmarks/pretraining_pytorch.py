"""PyTorch with transformers' networks, for benchmarks/pretraining.py."""

from pretraining_step import (
    BEGUN,
    CLIP,
    MASK_ID,
    RATE,
    SIZES,
    VOCAB,
    ids_of,
    shape_of,
    slots_of,
    timed,
)
from turns import answer


def pytorch(shape: str, compiled: bool = False, autocast: bool = False):
    """transformers' networks in a joint step of our own, eager."""
    import torch
    import transformers

    size, batch, length = shape_of(shape)

    def build():
        torch.manual_seed(0)
        generator, discriminator = _pytorch_networks(transformers, size)
        named = dict(discriminator.named_parameters())
        named |= {f"g.{n}": p for n, p in generator.named_parameters()}
        parameters = list({id(p): p for p in named.values()}.values())
        optimizer = torch.optim.AdamW(parameters, RATE, weight_decay=0.01)
        ids = torch.from_numpy(ids_of(batch, length))
        loss_of = _pytorch_loss(torch, generator, discriminator, ids)
        loss_of = torch.compile(loss_of) if compiled else loss_of

        def step():
            with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
                loss = loss_of()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, CLIP)
            optimizer.step()
            return loss.item()

        return step

    return timed(BEGUN, build)


def pytorch_bfloat16(shape: str):
    return pytorch(shape, autocast=True)


def pytorch_compile(shape: str):
    return pytorch(shape, compiled=True)


def _pytorch_networks(transformers, size: str):
    hidden, embedding, blocks, heads, small, small_heads = SIZES[size]

    def config(width, heads):
        return transformers.ElectraConfig(
            vocab_size=VOCAB,
            embedding_size=embedding,
            hidden_size=width,
            num_hidden_layers=blocks,
            num_attention_heads=heads,
            intermediate_size=4 * width,
        )

    discriminator = transformers.ElectraForPreTraining(config(hidden, heads))
    generator = transformers.ElectraForMaskedLM(config(small, small_heads))
    shared = discriminator.electra.embeddings
    generator.electra.embeddings = shared
    generator.generator_lm_head.weight = shared.word_embeddings.weight
    return generator.train(), discriminator.train()


def _pytorch_loss(torch, generator, discriminator, ids):
    """L_MLM + 50 L_Disc, masked positions gathered before the vocabulary."""
    batch, length = ids.shape
    cross_entropy = torch.nn.functional.cross_entropy
    with_logits = torch.nn.functional.binary_cross_entropy_with_logits

    def loss():
        order = torch.rand(batch, length).argsort(1)
        slots = order[:, : slots_of(length)]  # [B, M]
        rows = torch.arange(batch)[:, None]
        masked = ids.clone()
        masked[rows, slots] = MASK_ID
        states = generator.electra(masked).last_hidden_state[rows, slots]
        logits = generator.generator_lm_head(
            generator.generator_predictions(states)
        ).float()  # [B, M, V]
        targets = ids[rows, slots]
        mlm = cross_entropy(logits.flatten(0, 1), targets.flatten())
        with torch.no_grad():
            noise = -torch.empty_like(logits).exponential_().log()
            samples = (logits + noise).argmax(-1)
        corrupted = ids.clone()
        corrupted[rows, slots] = samples
        is_replaced = (corrupted != ids).float()
        judged = discriminator(corrupted).logits.float()
        return mlm + 50 * with_logits(judged, is_replaced)

    return loss


if __name__ == "__main__":
    engines = (pytorch, pytorch_bfloat16, pytorch_compile)
    answer({engine.__name__: engine for engine in engines})
