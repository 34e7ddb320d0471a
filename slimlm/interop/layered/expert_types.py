"""Mixtures of experts that no Architecture describes: sinks, biases, dense layers among others, chunked attention."""

from collections.abc import Callable

from slimlm.core.layered import Layer, Tensors
from slimlm.interop.hf.family import not_allowed
from slimlm.interop.layered.heads import CHUNKED, FULL, WINDOWED, blocks, heads_of, windows_of
from slimlm.interop.layered.keys import MOST, Keys
from slimlm.interop.layered.parts import Mixture, feed_forward, mixture


def gpt_oss(keys: Keys) -> tuple[Layer, ...]:
    """Return the layers of a gpt_oss config; raises ValueError for values outside their limits."""
    heads, d_expert, count = heads_of(keys), keys.whole("intermediate_size"), keys.whole("num_local_experts", *_NUMBER)
    chosen = keys.chosen("num_experts_per_tok", "num_local_experts", count, "experts_per_token")
    found = mixture(heads.d_model, d_expert, count, chosen, bias=True, router=True)
    mixing = heads.tensors(bias=keys.switch("attention_bias")) | {"attention.sinks": (heads.heads,)}
    return blocks(heads, windows_of(keys, lambda number: FULL if number % 2 else WINDOWED), mixing, lambda _: found)


_NUMBER = ("num_experts",)


def glm4_moe(keys: Keys) -> tuple[Layer, ...]:
    """Return the layers of a glm4_moe config; raises ValueError for values outside their limits."""
    heads = heads_of(keys)
    mixing = heads.tensors(bias=keys.switch("attention_bias"), norms=keys.switch("use_qk_norm"))
    mixing.pop("attention.o_proj.bias", None)
    return blocks(heads, _no_windows(keys), mixing, _routed(keys))


def dots1(keys: Keys) -> tuple[Layer, ...]:
    """Return the layers of a dots1 config; raises ValueError for values outside their limits."""
    heads = heads_of(keys)
    first = MOST if keys.optional("sliding_window") is None else keys.whole("max_window_layers", least=0)
    windows = windows_of(keys, lambda number: FULL if number < first else WINDOWED)
    mixing = heads.tensors(bias=keys.switch("attention_bias"), norms=True)
    return blocks(heads, windows, mixing, _routed(keys))


def _no_windows(keys: Keys) -> list[int | None]:
    return [None] * keys.depth("num_hidden_layers")


def _routed(keys: Keys) -> Callable[[int], Mixture]:
    """Return the feed-forwards of DeepSeek's keys: dense ones first, then experts with shared ones beside them."""
    dense_layers = keys.whole("first_k_dense_replace", least=0)
    dense = _dense(keys)
    if dense_layers >= keys.depth("num_hidden_layers"):
        return lambda _: dense
    count, d_expert = keys.whole("n_routed_experts", "num_local_experts"), keys.whole("moe_intermediate_size")
    chosen = keys.chosen("num_experts_per_tok", "n_routed_experts", count)
    shared = d_expert * keys.whole("n_shared_experts", least=0)
    found = mixture(keys.whole("hidden_size"), d_expert, count, chosen, shared=shared)
    return lambda number: dense if number < dense_layers else found


def _dense(keys: Keys, key: str = "intermediate_size", *, bias: bool = False) -> Mixture:
    return feed_forward(keys.whole("hidden_size"), keys.whole(key), bias=bias), 0


def ernie4_5_moe(keys: Keys) -> tuple[Layer, ...]:
    """Return the layers of an ernie4_5_moe config; raises ValueError for values outside their limits."""
    heads, bias = heads_of(keys), keys.switch("use_bias")
    dense, sparse = _dense(keys, bias=bias), _ernie_mixture(keys, bias)
    every, first = keys.whole("moe_layer_interval"), keys.whole("moe_layer_start_index", least=0)
    last = MOST if keys.get("moe_layer_end_index") == -1 else keys.whole("moe_layer_end_index", least=0)

    def ffn(number: int) -> Mixture:
        return sparse if first <= number <= last and (number + 1) % every == 0 else dense

    return blocks(heads, _no_windows(keys), heads.tensors(bias=bias), ffn)


def _ernie_mixture(keys: Keys, bias: bool) -> Mixture:
    d_model, d_expert = keys.whole("hidden_size"), keys.whole("moe_intermediate_size")
    count = keys.whole("moe_num_experts", *_NUMBER)
    chosen = keys.chosen("moe_k", "moe_num_experts", count, "num_experts_per_tok")
    shared = d_expert * keys.whole("moe_num_shared_experts", least=0)
    found, idle = mixture(d_model, d_expert, count, chosen)
    found |= {"ffn.router.score_correction": (1, count)}
    beside = feed_forward(d_model, shared, bias=bias) if shared else {}
    return found | {name.replace("ffn.", "ffn.shared."): shape for name, shape in beside.items()}, idle


def ernie4_5_moe_outside(keys: Keys) -> Tensors:
    """Return the bias of the LM head, which a config with biases has."""
    return {"lm_head.bias": (keys.whole("vocab_size"),)} if keys.switch("use_bias") else {}


def hunyuan_v1_moe(keys: Keys) -> tuple[Layer, ...]:
    """Return the layers of a hunyuan_v1_moe config; raises ValueError for values outside their limits."""
    heads, width, depth = heads_of(keys), keys.whole("intermediate_size"), keys.depth("num_hidden_layers")
    count, chosen = keys.whole("num_experts", "num_local_experts"), keys.get("moe_topk", "num_experts_per_tok")
    each = chosen if isinstance(chosen, list) else [chosen] * depth
    if len(each) != depth:
        raise not_allowed("moe_topk", f"{len(each)} numbers", f"there must be one for each of {depth} layers")
    for number in each:
        if keys.checked("moe_topk", number) > count:
            raise not_allowed("moe_topk", number, f"it must be at most num_experts={count}")
    made = {number: mixture(heads.d_model, width, count, number, shared=width) for number in set(each)}
    mixing = heads.tensors(bias=keys.switch("attention_bias"), norms=True)
    return blocks(heads, _no_windows(keys), mixing, lambda number: made[each[number]])


def qwen3_vl_moe(keys: Keys) -> tuple[Layer, ...]:
    """Return the layers of a qwen3_vl_moe_text config; raises ValueError for values outside their limits."""
    heads, step = heads_of(keys), keys.whole("decoder_sparse_step")
    without, dense = keys.numbers("mlp_only_layers") or (), _dense(keys)
    count, d_expert = keys.whole("num_experts", "num_local_experts", least=0), keys.whole("moe_intermediate_size")
    sparse = dense
    if count:
        chosen = keys.chosen("num_experts_per_tok", "num_experts", count)
        sparse = mixture(heads.d_model, d_expert, count, chosen)
    mixing = heads.tensors(bias=keys.switch("attention_bias"), norms=True)
    return blocks(
        heads, _no_windows(keys), mixing, lambda number: dense if number in without or (number + 1) % step else sparse
    )


def phimoe(keys: Keys) -> tuple[Layer, ...]:
    """Return the layers of a phimoe config; raises ValueError for values outside their limits."""
    heads, count = heads_of(keys), keys.whole("num_local_experts", *_NUMBER)
    chosen = keys.chosen("num_experts_per_tok", "num_local_experts", count)
    found = mixture(heads.d_model, keys.whole("intermediate_size"), count, chosen)
    window = keys.optional("sliding_window")
    mixing = heads.tensors(bias=keys.switch("attention_bias"))
    mixing |= {f"norms.{name}.bias": (heads.d_model,) for name in ("attention_norm", "ffn_norm")}
    return blocks(heads, [window] * keys.depth("num_hidden_layers"), mixing, lambda _: found)


def phimoe_outside(keys: Keys) -> Tensors:
    """Return the bias of the last norm, and that of the LM head where it has one."""
    head = {"lm_head.bias": (keys.whole("vocab_size"),)} if keys.switch("lm_head_bias") else {}
    return {"final_norm.bias": (keys.whole("hidden_size"),), **head}


def llama4(keys: Keys) -> tuple[Layer, ...]:
    """Return the layers of a llama4_text config; raises ValueError for values outside their limits."""
    heads, width, count = heads_of(keys), keys.whole("intermediate_size"), keys.whole("num_local_experts", *_NUMBER)
    chosen = keys.chosen("num_experts_per_tok", "num_local_experts", count)
    sparse, dense = mixture(heads.d_model, width, count, chosen, shared=width), _dense(keys, "intermediate_size_mlp")
    listed, step = keys.numbers("moe_layers"), keys.whole("interleave_moe_layer_step")

    def ffn(number: int) -> Mixture:
        return sparse if (number in listed if listed is not None else (number + 1) % step == 0) else dense

    mixing = heads.tensors(bias=keys.switch("attention_bias"))
    return blocks(heads, _chunks(keys), mixing, ffn, "chunked attention")


def _chunks(keys: Keys) -> list[int | None]:
    """Return the length of the chunks of each layer; layers without rotary positions see all tokens by default."""
    turned, every = keys.get("no_rope_layers"), keys.whole("no_rope_layer_interval")
    depth, chunk = keys.depth("num_hidden_layers"), keys.optional("attention_chunk_size")
    if turned and (not isinstance(turned, list) or len(turned) < depth):
        said = f"{len(turned)} numbers" if isinstance(turned, list) else turned
        raise not_allowed("no_rope_layers", said, f"it must be a list of {depth} zeros and ones")
    rotary = turned or [(number + 1) % every for number in range(depth)]
    kinds = keys.kind_of_each("layer_types", (CHUNKED, FULL), lambda number: CHUNKED if rotary[number] else FULL)
    return [chunk if kind == CHUNKED else None for kind in kinds]
