"""Keys that the configuration classes of transformers 5.23 know, and keys that say nothing about a model's structure.

A test compares the table with transformers.
"""

from functools import cache

_USUAL = """
attention_dropout hidden_act intermediate_size max_position_embeddings num_key_value_heads rope_parameters
"""
"""What + stands for."""

_EVERY = "hidden_size num_attention_heads num_hidden_layers tie_word_embeddings vocab_size"

_NO_STRUCTURE = """
add_cross_attention architectures attn_implementation auto_map bad_words_ids begin_suppress_tokens bos_token_id
chunk_size_feed_forward cls_token_id cross_attention_hidden_size decoder_start_token_id diversity_penalty do_sample
dtype early_stopping encoder_no_repeat_ngram_size eod_token_id eos_token_id exponential_decay_length_penalty
finetuning_task forced_bos_token_id forced_eos_token_id gradient_checkpointing id2label initializer_range
is_composition is_decoder is_encoder_decoder label2id length_penalty mask_token_id max_length min_length model_type
no_repeat_ngram_size num_beam_groups num_beams num_return_sequences output_attentions output_hidden_states
output_scores pad_token_id prefix problem_type pruned_heads quantization quantization_config remove_invalid_values
repetition_penalty return_dict return_dict_in_generate sep_token_id suppress_tokens task_specific_params temperature
tf_legacy_loss tie_encoder_decoder tokenizer_class top_k top_p torch_dtype torchscript transformers_version typical_p
unk_token_id unsloth_fixed unsloth_version use_bfloat16 use_cache use_flash_attn use_return_dict
"""
"""Keys that every config may have: of generation, of special tokens, of files. So may keys that start with _."""

_EARLIER = """
bloom: attention_softmax_in_fp32 masked_softmax_fusion n_inner offset_alibi skip_bias_add skip_bias_add_qkv unk_token_id
falcon: apply_residual_connection_post_layernorm
gemma: hidden_activation
gemma2: hidden_act
gemma3_text: rope_local_base_freq sliding_window_pattern
gemma3n_text: rope_local_base_freq
gemma4_text: global_head_dim num_global_key_value_heads
gpt2: n_ctx
gpt_oss: experts_per_token initial_context_length
kimi_linear: first_k_dense_replace linear_attn_config mla_use_nope moe_layer_freq moe_router_activation_func
  use_grouped_topk
lfm2: block_dim block_ff_dim block_mlp_init_scale block_norm_eps block_out_init_scale block_use_swiglu
  block_use_xavier_init conv_dim conv_dim_out conv_use_xavier_init tie_embedding theta use_pos_enc num_heads
mpt: verbose
nemotron_h: attention_head_dim hybrid_override_pattern layer_norm_epsilon mamba_d_conv mamba_dt_init_floor
  mamba_dt_limit mamba_dt_max mamba_dt_min mamba_expand mamba_n_groups mamba_state_dim mtp_hybrid_override_pattern
  rms_norm_eps
opt: activation_dropout
qwen2: use_mrope
qwen3_5_moe_text: full_attention_interval mtp_num_hidden_layers mtp_use_dedicated_embeddings
  partial_rotary_factor mamba_ssm_dtype
qwen3_5_text: full_attention_interval mtp_num_hidden_layers mtp_use_dedicated_embeddings
  partial_rotary_factor mamba_ssm_dtype
qwen3_next: full_attention_interval partial_rotary_factor
smollm3: max_window_layers pretraining_tp
"""
"""Keys that earlier versions wrote, and that say nothing that another key does not say."""

_EARLIER_ROPE = "rope_scaling rope_theta"

_TABLE = """
apertus: + attention_bias rms_norm_eps
arcee: + attention_bias head_dim mlp_bias rms_norm_eps
bamba: + attention_bias attn_layer_indices layer_types mamba_chunk_size mamba_conv_bias mamba_d_conv mamba_d_head
  mamba_d_state mamba_expand mamba_n_groups mamba_n_heads mamba_proj_bias mlp_bias num_logits_to_keep rms_norm_eps
  time_step_limit z_loss_coefficient
biogpt: activation_dropout attention_probs_dropout_prob hidden_act hidden_dropout_prob intermediate_size
  layer_norm_eps layerdrop max_position_embeddings scale_embedding
bloom: apply_residual_connection_post_layernorm attention_dropout hidden_dropout layer_norm_epsilon n_head n_layer
  pretraining_tp slow_but_exact
codegen: activation_function attn_pdrop embd_pdrop layer_norm_epsilon max_position_embeddings n_ctx n_embd n_head
  n_inner n_layer n_positions resid_pdrop rotary_dim
cohere: + attention_bias layer_norm_eps logit_scale use_qk_norm
cohere2: + attention_bias head_dim layer_norm_eps layer_types logit_scale sliding_window
ctrl: dff embd_pdrop layer_norm_epsilon max_position_embeddings n_embd n_head n_layer n_positions resid_pdrop
cwm: + head_dim layer_types mlp_bias pretraining_tp rms_norm_eps sliding_window
deepseek_v2: + attention_bias first_k_dense_replace head_dim kv_lora_rank mlp_bias moe_intermediate_size n_group
  n_routed_experts n_shared_experts norm_topk_prob num_experts num_experts_per_tok output_router_logits pretraining_tp
  q_lora_rank qk_head_dim qk_nope_head_dim qk_rope_head_dim rms_norm_eps routed_scaling_factor topk_group topk_method
  v_head_dim
deepseek_v3: + attention_bias first_k_dense_replace head_dim kv_lora_rank moe_intermediate_size n_group
  n_routed_experts n_shared_experts norm_topk_prob num_experts_per_tok num_local_experts num_mtp_layers
  num_nextn_predict_layers output_router_logits pretraining_tp q_lora_rank qk_head_dim qk_nope_head_dim
  qk_rope_head_dim rms_norm_eps rope_interleave routed_scaling_factor topk_group v_head_dim
dots1: + attention_bias first_k_dense_replace layer_types max_window_layers moe_intermediate_size n_group
  n_routed_experts n_shared_experts norm_topk_prob num_experts_per_tok num_local_experts output_router_logits
  rms_norm_eps routed_scaling_factor sliding_window topk_group
ernie4_5: head_dim hidden_act intermediate_size max_position_embeddings num_key_value_heads rms_norm_eps
  rope_parameters use_bias
ernie4_5_moe: hidden_act intermediate_size max_position_embeddings moe_intermediate_size moe_k moe_layer_end_index
  moe_layer_interval moe_layer_start_index moe_norm_min moe_num_experts moe_num_shared_experts num_experts
  num_experts_per_tok num_key_value_heads output_router_logits rms_norm_eps rope_parameters router_aux_loss_coef
  use_bias
exaone4: + layer_types rms_norm_eps sliding_window sliding_window_pattern
falcon: activation alibi attention_dropout bias ffn_hidden_size hidden_dropout layer_norm_epsilon
  max_position_embeddings multi_query new_decoder_architecture num_kv_heads num_ln_in_parallel_attn parallel_attn
  rope_parameters
falcon_h1: + attention_bias attention_in_multiplier attention_out_multiplier embedding_multiplier key_multiplier
  layer_types lm_head_multiplier mamba_chunk_size mamba_conv_bias mamba_d_conv mamba_d_head mamba_d_ssm mamba_d_state
  mamba_expand mamba_n_groups mamba_n_heads mamba_norm_before_gate mamba_proj_bias mamba_rms_norm mlp_bias
  mlp_multipliers num_logits_to_keep projectors_bias rms_norm_eps ssm_in_multiplier ssm_multipliers ssm_out_multiplier
  time_step_limit
falcon_mamba: - conv_kernel expand hidden_act intermediate_size layer_norm_epsilon mixer_rms_eps
  rescale_prenorm_residual residual_in_fp32 state_size time_step_floor time_step_init_scheme time_step_max
  time_step_min time_step_rank time_step_scale use_associative_scan use_bias use_conv_bias use_mambapy
gemma: + attention_bias head_dim rms_norm_eps use_bidirectional_attention
gemma2: attention_bias attention_dropout attn_logit_softcapping final_logit_softcapping head_dim hidden_activation
  intermediate_size layer_types max_position_embeddings num_key_value_heads query_pre_attn_scalar rms_norm_eps
  rope_parameters sliding_window use_bidirectional_attention
gemma3_text: _sliding_window_pattern attention_bias attention_dropout attn_logit_softcapping final_logit_softcapping
  head_dim hidden_activation intermediate_size layer_types max_position_embeddings num_key_value_heads
  query_pre_attn_scalar rms_norm_eps rope_parameters sliding_window use_bidirectional_attention
gemma3n_text: activation_sparsity_pattern altup_active_idx altup_coef_clip altup_correct_scale altup_num_inputs
  attention_bias attention_dropout final_logit_softcapping head_dim hidden_activation hidden_size_per_layer_input
  intermediate_size laurel_rank layer_types max_position_embeddings num_key_value_heads num_kv_shared_layers
  rms_norm_eps rope_parameters sliding_window vocab_size_per_layer_input
gemma4_text: attention_bias attention_dropout attention_k_eq_v enable_moe_block final_logit_softcapping head_dim
  hidden_activation hidden_size_per_layer_input intermediate_size layer_types max_position_embeddings
  moe_intermediate_size num_experts num_key_value_heads num_kv_shared_layers per_layer_config rms_norm_eps
  rope_parameters sliding_window top_k_experts use_bidirectional_attention use_double_wide_mlp
  vocab_size_per_layer_input
glm: + attention_bias head_dim rms_norm_eps
glm4: + attention_bias head_dim rms_norm_eps
glm4_moe: + attention_bias first_k_dense_replace moe_intermediate_size n_group n_routed_experts n_shared_experts
  norm_topk_prob num_experts_per_tok num_local_experts num_mtp_layers num_nextn_predict_layers output_router_logits
  rms_norm_eps routed_scaling_factor topk_group use_qk_norm
glm4v_text: + rms_norm_eps
gpt-sw3: activation_function add_cross_attention attn_pdrop embd_pdrop layer_norm_epsilon max_position_embeddings
  n_embd n_head n_inner n_layer n_positions reorder_and_upcast_attn resid_pdrop scale_attn_by_inverse_layer_idx
  scale_attn_weights summary_activation summary_first_dropout summary_proj_to_labels summary_type summary_use_proj
gpt2: activation_function add_cross_attention attn_pdrop embd_pdrop layer_norm_epsilon max_position_embeddings n_embd
  n_head n_inner n_layer n_positions reorder_and_upcast_attn resid_pdrop scale_attn_by_inverse_layer_idx
  scale_attn_weights summary_activation summary_first_dropout summary_proj_to_labels summary_type summary_use_proj
gpt_bigcode: activation_function add_cross_attention attention_softmax_in_fp32 attn_pdrop embd_pdrop
  layer_norm_epsilon max_position_embeddings multi_query n_embd n_head n_inner n_layer n_positions num_key_value_heads
  resid_pdrop scale_attention_softmax_in_fp32 scale_attn_weights
gpt_neo: activation_function attention_dropout attention_layers attention_types classifier_dropout embed_dropout
  intermediate_size layer_norm_epsilon max_position_embeddings num_heads num_layers resid_dropout window_size
gpt_neox: attention_bias attention_dropout classifier_dropout hidden_act hidden_dropout intermediate_size is_decoder
  layer_norm_eps max_position_embeddings rope_parameters use_parallel_residual
gpt_oss: + attention_bias head_dim layer_types num_experts num_experts_per_tok num_local_experts output_router_logits
  rms_norm_eps router_aux_loss_coef sliding_window swiglu_alpha swiglu_limit
gptj: activation_function attn_pdrop embd_pdrop layer_norm_epsilon max_position_embeddings n_embd n_head n_inner
  n_layer n_positions resid_pdrop rotary_dim
granite: + attention_bias attention_multiplier embedding_multiplier logits_scaling mlp_bias residual_multiplier
  rms_norm_eps
granitemoe: + attention_bias attention_multiplier embedding_multiplier logits_scaling num_experts_per_tok
  num_local_experts output_router_logits residual_multiplier rms_norm_eps router_aux_loss_coef
granitemoehybrid: + attention_bias attention_multiplier embedding_multiplier layer_types layers_block_type
  logits_scaling mamba_chunk_size mamba_conv_bias mamba_d_conv mamba_d_head mamba_d_state mamba_expand mamba_n_groups
  mamba_n_heads mamba_proj_bias num_experts_per_tok num_local_experts output_router_logits position_embedding_type
  residual_multiplier rms_norm_eps router_aux_loss_coef shared_intermediate_size time_step_limit
helium: + attention_bias head_dim mlp_bias rms_norm_eps
hunyuan_v1_dense: + attention_bias eod_token_id head_dim pretraining_tp rms_norm_eps
hunyuan_v1_moe: + attention_bias eod_token_id head_dim moe_topk num_experts num_experts_per_tok num_local_experts
  output_router_logits pretraining_tp rms_norm_eps sep_token_id
hyperclovax: + attention_bias attention_multiplier embedding_multiplier head_dim logits_scaling mlp_bias
  residual_multiplier rms_norm_eps use_post_norm
internlm3: + attention_bias bias head_dim mlp_bias qkv_bias rms_norm_eps
iquestcoder: + attention_bias head_dim mlp_bias rms_norm_eps
jais2: + attention_bias head_dim layer_norm_eps mlp_bias
jamba: attention_dropout attn_layer_offset attn_layer_period expert_layer_offset expert_layer_period hidden_act
  intermediate_size mamba_conv_bias mamba_d_conv mamba_d_state mamba_dt_rank mamba_expand mamba_proj_bias
  max_position_embeddings num_experts num_experts_per_tok num_key_value_heads num_local_experts output_router_logits
  rms_norm_eps router_aux_loss_coef use_associative_scan use_mamba_kernels use_mambapy
kimi_linear: attention_bias attention_dropout head_dim hidden_act intermediate_size kv_lora_rank layer_types
  linear_conv_kernel_dim linear_head_dim linear_num_heads max_position_embeddings mlp_layer_types model_max_length
  moe_intermediate_size moe_renormalize n_group n_shared_experts norm_topk_prob num_expert_group num_experts
  num_experts_per_tok num_experts_per_token num_key_value_heads num_local_experts num_shared_experts
  output_router_logits pretraining_tp q_lora_rank qk_head_dim qk_nope_head_dim qk_rope_head_dim rms_norm_eps
  routed_scaling_factor topk_group v_head_dim
lfm2: block_auto_adjust_ff_dim block_ffn_dim_multiplier block_multiple_of conv_L_cache conv_bias full_attn_idxs
  intermediate_size layer_types max_position_embeddings norm_eps num_key_value_heads rope_parameters
lfm2_moe: conv_L_cache conv_bias intermediate_size layer_types max_position_embeddings moe_intermediate_size norm_eps
  norm_topk_prob num_dense_layers num_experts num_experts_per_tok num_key_value_heads output_router_logits
  rope_parameters routed_scaling_factor use_expert_bias
llama: + attention_bias head_dim mlp_bias pretraining_tp rms_norm_eps
llama4_text: + attention_bias attention_chunk_size attn_scale attn_temperature_tuning floor_scale head_dim
  interleave_moe_layer_step intermediate_size_mlp layer_types moe_layers no_rope_layer_interval no_rope_layers
  num_experts_per_tok num_local_experts output_router_logits rms_norm_eps router_aux_loss_coef router_jitter_noise
  use_qk_norm
mamba: - conv_kernel expand hidden_act intermediate_size layer_norm_epsilon rescale_prenorm_residual residual_in_fp32
  state_size time_step_floor time_step_init_scheme time_step_max time_step_min time_step_rank time_step_scale
  use_associative_scan use_bias use_conv_bias use_mambapy
mamba2: - chunk_size conv_kernel expand head_dim hidden_act layer_norm_epsilon n_groups num_heads
  rescale_prenorm_residual residual_in_fp32 state_size time_step_floor time_step_limit time_step_max time_step_min
  time_step_rank use_bias use_conv_bias
minicpm3: + attention_bias dim_model_base head_dim kv_lora_rank mlp_bias pretraining_tp q_lora_rank qk_head_dim
  qk_nope_head_dim qk_rope_head_dim rms_norm_eps scale_depth scale_emb v_head_dim
ministral: + head_dim layer_types rms_norm_eps sliding_window
ministral3: + head_dim rms_norm_eps sliding_window
mistral: + head_dim rms_norm_eps sliding_window
mixtral: + head_dim num_experts num_experts_per_tok num_local_experts output_router_logits rms_norm_eps
  router_aux_loss_coef router_jitter_noise sliding_window
mpt: attn_config d_model emb_pdrop embedding_fraction expansion_ratio init_device layer_norm_epsilon learned_pos_emb
  logit_scale max_seq_len n_heads n_layers no_bias norm_type resid_pdrop
nanochat: + attention_bias final_logit_softcapping rms_norm_eps
nemotron: + attention_bias head_dim mlp_bias norm_eps
nemotron_h: attention_bias attention_dropout chunk_size conv_kernel expand head_dim hidden_dropout intermediate_size
  layer_norm_epsilon layer_types layers_block_type mamba_head_dim mamba_hidden_act mamba_num_heads mamba_proj_bias
  mamba_ssm_cache_dtype max_position_embeddings mlp_bias mlp_hidden_act moe_intermediate_size moe_latent_size
  moe_shared_expert_intermediate_size moe_shared_expert_overlap mtp_layers_block_type n_group n_groups
  n_routed_experts n_shared_experts norm_topk_prob num_experts_per_tok num_key_value_heads num_local_experts
  num_logits_to_keep num_nextn_predict_layers output_router_logits rescale_prenorm_residual residual_in_fp32
  routed_scaling_factor sliding_window ssm_state_size time_step_floor time_step_limit time_step_max time_step_min
  topk_group use_bias use_conv_bias use_mamba_kernels
olmo: + attention_bias clip_qkv
olmo2: + attention_bias rms_norm_eps
olmo3: + attention_bias layer_types rms_norm_eps sliding_window
olmo_hybrid: + attention_bias layer_types linear_a_log_max linear_a_log_min linear_allow_neg_eigval
  linear_conv_kernel_dim linear_dt_init_floor linear_dt_max linear_dt_min linear_key_head_dim linear_num_key_heads
  linear_num_value_heads linear_value_head_dim rms_norm_eps
olmoe: + attention_bias clip_qkv norm_topk_prob num_experts num_experts_per_tok num_local_experts output_router_logits
  rms_norm_eps router_aux_loss_coef
opt: _remove_final_layer_norm activation_function attention_dropout do_layer_norm_before dropout enable_bias ffn_dim
  init_std layer_norm_elementwise_affine layerdrop max_position_embeddings word_embed_proj_dim
persimmon: attention_dropout hidden_act hidden_dropout intermediate_size layer_norm_eps max_position_embeddings
  qk_layernorm rope_parameters
phi: + embd_pdrop layer_norm_eps qk_layernorm resid_pdrop
phi3: + embd_pdrop original_max_position_embeddings resid_pdrop rms_norm_eps sliding_window
phimoe: + attention_bias input_jitter_noise lm_head_bias num_experts_per_tok num_local_experts output_router_logits
  rms_norm_eps router_aux_loss_coef router_jitter_noise sliding_window
qwen2: + layer_types max_window_layers rms_norm_eps sliding_window use_sliding_window
qwen2_5_vl_text: + layer_types max_window_layers rms_norm_eps sliding_window use_sliding_window
qwen2_moe: + decoder_sparse_step layer_types max_window_layers mlp_only_layers moe_intermediate_size norm_topk_prob
  num_experts num_experts_per_tok output_router_logits qkv_bias rms_norm_eps router_aux_loss_coef
  shared_expert_intermediate_size sliding_window use_sliding_window
qwen2_vl_text: + layer_types max_window_layers rms_norm_eps sliding_window use_sliding_window
qwen3: + attention_bias head_dim layer_types max_window_layers rms_norm_eps sliding_window use_sliding_window
qwen3_5_moe_text: attention_bias attention_dropout head_dim hidden_act layer_types linear_conv_kernel_dim
  max_position_embeddings num_key_value_heads rope_parameters
  linear_key_head_dim linear_num_key_heads linear_num_value_heads linear_value_head_dim
  moe_intermediate_size num_experts num_experts_per_tok output_router_logits rms_norm_eps
  router_aux_loss_coef shared_expert_intermediate_size
qwen3_5_text: + attention_bias head_dim layer_types linear_conv_kernel_dim linear_key_head_dim linear_num_key_heads
  linear_num_value_heads linear_value_head_dim rms_norm_eps
qwen3_moe: + attention_bias decoder_sparse_step mlp_only_layers moe_intermediate_size norm_topk_prob num_experts
  num_experts_per_tok num_local_experts output_router_logits rms_norm_eps router_aux_loss_coef sliding_window
  use_sliding_window
qwen3_next: + attention_bias decoder_sparse_step head_dim layer_types linear_conv_kernel_dim linear_key_head_dim
  linear_num_key_heads linear_num_value_heads linear_value_head_dim mlp_only_layers moe_intermediate_size
  norm_topk_prob num_experts num_experts_per_tok output_router_logits rms_norm_eps router_aux_loss_coef
  shared_expert_intermediate_size
qwen3_vl_moe_text: + attention_bias decoder_sparse_step head_dim mlp_only_layers moe_intermediate_size num_experts
  num_experts_per_tok num_local_experts output_router_logits rms_norm_eps router_aux_loss_coef sliding_window
qwen3_vl_text: + attention_bias head_dim rms_norm_eps
recurrent_gemma: attention_bias attention_dropout attention_window_size block_types conv1d_width
  final_w_init_variance_scale head_dim hidden_activation intermediate_size layer_types logits_soft_cap lru_width
  num_key_value_heads rms_norm_eps rope_parameters sliding_window w_init_variance_scale
seed_oss: + attention_bias attention_out_bias head_dim mlp_bias pretraining_tp residual_dropout rms_norm_eps
smollm3: + attention_bias layer_types mlp_bias no_rope_layer_interval no_rope_layers rms_norm_eps sliding_window
  use_sliding_window
stablelm: + hidden_dropout layer_norm_eps qk_layernorm use_parallel_residual use_qkv_bias
starcoder2: + embedding_dropout norm_epsilon residual_dropout sliding_window use_bias
vaultgemma: attention_bias attention_dropout attn_logit_softcapping final_logit_softcapping head_dim hidden_activation
  intermediate_size layer_types max_position_embeddings num_key_value_heads query_pre_attn_scalar rms_norm_eps
  rope_parameters sliding_window
xglm: activation_dropout activation_function add_cross_attention attention_dropout attention_heads d_model
  decoder_start_token_id dropout ffn_dim init_std layerdrop max_position_embeddings num_layers scale_embedding
youtu: + attention_bias embedding_initializer_range head_dim kv_lora_rank q_lora_rank qk_head_dim qk_nope_head_dim
  qk_rope_head_dim rms_norm_eps rope_interleave v_head_dim
"""
"""Model type: keys of its class beside those that every config has; - says that it has no attention."""


def _rows(table: str) -> dict[str, frozenset[str]]:
    lines = table.replace("\n  ", " ").strip().splitlines()
    return {name: frozenset(keys.split()) for name, _, keys in (line.partition(":") for line in lines)}


TYPES = tuple(sorted(_rows(_TABLE)))
"""Model types whose keys the table has: those that are read, and others of the same make."""


@cache
def class_keys(model_type: str) -> frozenset[str]:
    """Return the keys that the configuration class of a model type knows, beside those of every config.

    A type without a class of transformers has the keys of Llama's.

    >>> sorted(class_keys("gpt-sw3") ^ class_keys("gpt2")), "head_dim" in class_keys("llama")
    ([], True)
    """
    keys = _rows(_TABLE)[model_type if model_type in TYPES else "llama"]
    usual = frozenset(_USUAL.split()) if "+" in keys else frozenset()
    every = frozenset(_EVERY.split()) - (frozenset({"num_attention_heads"}) if "-" in keys else frozenset())
    return (keys - {"+", "-"}) | usual | every


@cache
def known_keys(model_type: str) -> frozenset[str]:
    """Return the keys that a config of a model type may have, today's and earlier ones."""
    keys = class_keys(model_type) | _rows(_EARLIER).get(model_type, frozenset()) | frozenset(_NO_STRUCTURE.split())
    return keys | frozenset(_EARLIER_ROPE.split()) if "rope_parameters" in keys else keys
