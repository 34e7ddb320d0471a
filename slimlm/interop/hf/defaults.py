"""The keys of a Hugging Face config and their defaults, as in the configuration classes of transformers 5.23."""

import json
from functools import cache
from typing import Any

KEYS = {
    "vocab_size": "vocab_size",
    "d_model": "hidden_size",
    "d_ff": "intermediate_size",
    "n_layers": "num_hidden_layers",
    "n_heads": "num_attention_heads",
    "n_kv_heads": "num_key_value_heads",
    "head_dim": "head_dim",
    "max_seq_length": "max_position_embeddings",
    "tied_lm_head": "tie_word_embeddings",
    "activation": "hidden_act",
    "attention_dropout": "attention_dropout",
}
"""Field of Architecture (and "activation") → the key that gives it in most model types."""

ROPE_KEYS = KEYS | {"rope_theta": "rope_theta"}
"""Further keys in most model types with rotary positions."""

_TABLE = """
type         vocab_size d_model d_ff  n_layers n_heads n_kv_heads head_dim max_seq_length tied_lm_head activation
gpt2         50257      768     null  12       12      -          -        1024           true         gelu_new
gpt_neox     50432      6144    24576 44       64      -          -        2048           false        gelu
gpt_neo      50257      2048    null  24       16      -          -        2048           true         gelu_new
opt          50272      768     3072  12       12      -          -        2048           true         relu
bloom        250880     64      -     2        8       -          -        2048           true         -
falcon       65024      4544    null  32       71      null       -        2048           true         gelu
mpt          50368      2048    -     24       16      -          -        2048           true         -
phi          51200      2048    8192  24       32      null       null     2048           false        gelu_new
starcoder2   49152      3072    12288 30       24      2          null     4096           true         gelu_pytorch_tanh
llama        32000      4096    11008 32       32      null       null     2048           false        silu
mistral      32000      4096    14336 32       32      8          null     131072         false        silu
qwen2        151936     4096    22016 32       32      32         null     32768          false        silu
qwen3        151936     4096    22016 32       32      32         128      32768          false        silu
gemma        256000     3072    24576 28       16      16         256      8192           true         gelu_pytorch_tanh
gemma2       256000     2304    9216  26       8       4          256      8192           true         gelu_pytorch_tanh
gemma3_text  262208     2304    9216  26       8       4          256      131072         true         gelu_pytorch_tanh
olmo         50304      4096    11008 32       32      null       null     2048           false        silu
olmo2        50304      4096    11008 32       32      null       null     2048           false        silu
phi3         32064      3072    8192  32       32      null       null     4096           false        silu
stablelm     50304      2560    6912  32       32      32         -        4096           false        silu
smollm3      128256     2048    11008 36       16      4          null     32768          true         silu
granite      32000      4096    11008 32       32      null       null     2048           false        silu
ernie4_5     103424     1024    3072  18       16      2          128      131072         true         silu
helium       48000      2560    7040  24       20      20         128      4096           false        silu
ministral    32000      4096    14336 32       32      8          null     131072         false        silu
ministral3   131072     4096    14336 34       32      8          128      262144         false        silu
cwm          128256     6144    21504 64       48      8          128      131072         false        silu
internlm3    128512     4096    10240 48       32      2          128      32768          false        silu
iquestcoder  76800      5120    27648 80       40      8          128      131072         false        silu
mobilellm    32000      4096    11008 32       32      null       null     2048           false        silu
mimo         151936     4096    22016 32       32      32         null     32768          false        silu
qwen3_vl_text 151936     4096    22016 32       32      32         128      128000         false        silu
qwen2_vl_text 152064     8192    29568 80       64      8          -        32768          false        silu
qwen2_5_vl_text 152064     8192    29568 80       64      8          -        32768          false        silu
glm4v_text   151552     4096    13696 40       32      2          -        32768          false        silu
hunyuan_v1_dense 290943     4096    11008 32       32      null       null     2048           false        silu
seed_oss     155136     4096    27648 64       80      8          128      524288         false        silu
glm          151552     4096    13696 40       32      2          128      131072         false        silu
glm4         151552     4096    13696 40       32      2          128      131072         false        silu
hyperclovax  32000      4096    11008 32       32      null       null     2048           false        silu
olmo3        50304      4096    11008 32       32      null       null     2048           false        silu
exaone4      102400     4096    16384 32       32      32         null     2048           false        silu
vaultgemma   256000     2304    9216  26       8       4          256      8192           true         gelu_pytorch_tanh
cohere       256000     8192    22528 40       64      null       null     8192           true         silu
cohere2      256000     8192    22528 40       64      null       -        8192           true         silu
gptj         50400      4096    null  28       16      -          -        2048           false        gelu_new
codegen      50400      4096    null  28       16      -          -        2048           false        gelu_new
gpt_bigcode  50257      768     null  12       12      -          -        1024           true         gelu_pytorch_tanh
gpt-sw3      50257      768     null  12       12      -          -        1024           true         gelu_new
biogpt       42384      1024    4096  24       16      -          -        1024           true         gelu
xglm         256008     1024    4096  24       16      -          -        2048           true         gelu
ctrl         246534     1280    8192  48       16      -          -        256            true         -
nanochat     50304      768     8192  12       6       null       null     2048           false        relu2
arcee        32000      2560    18432 32       32      null       null     4096           false        relu2
nemotron     256000     6144    24576 32       48      null       null     4096           false        relu2
jais2        150272     3328    26624 32       26      null       null     8192           false        relu2
persimmon    262144     4096    16384 36       64      -          -        16384          false        relu2
mixtral      32000      4096    14336 32       32      8          null     131072         false        silu
qwen2_moe    151936     2048    1408  24       16      16         null     32768          false        silu
qwen3_moe    151936     2048    768   24       32      4          null     32768          false        silu
olmoe        50304      2048    2048  16       16      null       -        4096           false        silu
granitemoe   32000      4096    11008 32       32      null       null     2048           false        silu
deepseek_v2  102400     4096    1407  32       32      -          128      2048           false        silu
deepseek_v3  129280     7168    2048  61       128     -          128      4096           false        silu
minicpm3     73448      2560    6400  62       40      -          64       32768          true         silu
"""
"""Defaults by model type: null for a field that is derived from others, - for a field without a key."""


@cache
def default_fields(model_type: str) -> dict[str, Any]:
    """Return the defaults of a model type, by the field of Architecture (and "activation") that a key gives.

    >>> default_fields("mistral")["d_ff"], default_fields("llama")["n_kv_heads"], "d_ff" in default_fields("bloom")
    (14336, None, False)
    """
    head, *rows = (line.split() for line in _TABLE.strip().splitlines())
    row = next(row for row in rows if row[0] == model_type)
    return {field: _value(cell) for field, cell in zip(head[1:], row[1:], strict=True) if cell != "-"}


def _value(cell: str) -> Any:
    try:
        return json.loads(cell)
    except ValueError:  # the name of an activation
        return cell
