/* config.json of every architecture: defaults, other names of keys, and what is refused,
 * with the key and the value named. */
#include <config.h>
#include "run.h"

#include <string.h>

#include "engine/rules.h"
#include "reference.h"

static osc_status configure(osc_config *config, const char *text)
{
    json_error_t error;
    json_t *json = json_loads(text, 0, &error);
    ck_assert_msg(json != NULL, "%s: %s", text, error.text);
    const osc_arch *arch;
    osc_status status = osc_config_read(config, &arch, json);
    json_decref(json);
    return status;
}

/* What a published checkpoint's config.json comes to. */
START_TEST(test_defaults)
{
    osc_config c;
    must(configure(&c, "{\"model_type\": \"gpt2\", \"n_inner\": null, \"n_ctx\": 512}"));
    ck_assert_uint_eq(c.hidden, 768);
    ck_assert_uint_eq(c.ffn, 3072);
    ck_assert_uint_eq(c.vocabulary, 50257);
    ck_assert_uint_eq(c.positions, 512);
    ck_assert_int_eq(c.activation, OSC_GELU_TANH);
    ck_assert(c.tied_head && !c.attention_unscaled && !c.attention_by_block);
    ck_assert_int_eq(c.bos, -1);
    must(configure(&c, "{\"model_type\": \"gptj\"}"));
    ck_assert_uint_eq(c.head_size, 256);
    ck_assert_uint_eq(c.rotary, 64);
    ck_assert(c.parallel && c.rotary_neighbours && !c.tied_head);
    must(configure(&c, "{\"model_type\": \"bloom\", \"n_embed\": 14336, \"n_layer\": 70, "
                       "\"num_attention_heads\": 112}"));
    ck_assert_uint_eq(c.head_size, 128);
    ck_assert_uint_eq(c.ffn, 57344);
    ck_assert_uint_eq(c.vocabulary, 250880);
    ck_assert(c.alibi && c.tied_head);
    must(configure(&c, "{\"model_type\": \"llama\", \"num_key_value_heads\": null, "
                       "\"rope_scaling\": null, \"head_dim\": null}"));
    ck_assert_uint_eq(c.kv_heads, 32);
    ck_assert_uint_eq(c.head_size, 128);
    ck_assert_uint_eq(c.rotary, 128);
    ck_assert(c.rms_norm && c.gated && !c.rotary_neighbours && !c.tied_head);
    ck_assert(c.rotary_base == 10000.0f && c.norm_eps == 1e-6f);
    ck_assert_int_eq(c.bos, 1);
}
END_TEST

/* Other names, and which one counts. */
START_TEST(test_names)
{
    osc_config c;
    must(configure(&c, "{\"model_type\": \"gpt2\", \"hidden_size\": 128, \"num_hidden_layers\": 2, "
                       "\"num_attention_heads\": 4, \"max_position_embeddings\": 32, "
                       "\"n_positions\": 64, \"scale_attn_weights\": false, "
                       "\"scale_attn_by_inverse_layer_idx\": true}"));
    ck_assert_uint_eq(c.hidden, 128);
    ck_assert_uint_eq(c.layers, 2);
    ck_assert_uint_eq(c.positions, 64);
    ck_assert(c.attention_unscaled && c.attention_by_block);
    must(configure(&c, "{\"model_type\": \"bloom\", \"n_embed\": 96, \"hidden_size\": 64, "
                       "\"num_hidden_layers\": 3, \"n_head\": 6, \"seq_length\": 4096}"));
    ck_assert_uint_eq(c.hidden, 96);
    ck_assert_uint_eq(c.positions, 4096);
    must(configure(&c, "{\"model_type\": \"llama\", \"rope_theta\": 500000.0, \"head_dim\": 64, "
                       "\"num_key_value_heads\": 8, \"rms_norm_eps\": 1e-05, "
                       "\"rope_scaling\": {\"type\": \"default\"}}"));
    ck_assert(c.rotary_base == 500000.0f && c.norm_eps == 1e-5f);
    ck_assert_uint_eq(c.head_size, 64);
    must(configure(&c, "{\"model_type\": \"llama\", \"rope_parameters\": {\"rope_theta\": 20000, "
                       "\"rope_type\": \"default\"}}"));
    ck_assert(c.rotary_base == 20000.0f);
}
END_TEST

#define GPT2  "{\"model_type\": \"gpt2\", "
#define GPTJ  "{\"model_type\": \"gptj\", "
#define BLOOM "{\"model_type\": \"bloom\", \"hidden_size\": 96, \"n_layer\": 3, \"n_head\": 6, "
#define LLAMA "{\"model_type\": \"llama\", "

static const struct { const char *text; osc_status status; const char *message; } refused[] = {
    { "{}", OSC_EFORMAT, "no \"model_type\"" },
    { "{\"model_type\": 7}", OSC_EFORMAT, "\"model_type\"" },
    { "{\"model_type\": \"opt\", \"vocab_size\": 100, \"bos_token_id\": 100}", OSC_EFORMAT,
      "bos_token_id 100 is not below vocab_size 100" },
    { "{\"model_type\": \"mamba\"}", OSC_EUNSUP, "opt, gpt2, gptj, bloom, llama" },
    { GPT2 "\"add_cross_attention\": true}", OSC_EUNSUP, "add_cross_attention true" },
    { GPT2 "\"activation_function\": \"quick_gelu\"}", OSC_EUNSUP,
      "activation_function \"quick_gelu\"" },
    { GPT2 "\"n_head\": 7}", OSC_EFORMAT, "n_embd 768 is not a multiple of n_head 7" },
    { GPT2 "\"n_head\": 0}", OSC_EFORMAT, "n_head 0" },
    { GPT2 "\"n_embd\": \"768\"}", OSC_EFORMAT, "\"n_embd\"" },
    { GPT2 "\"scale_attn_weights\": 1}", OSC_EFORMAT, "\"scale_attn_weights\"" },
    { GPT2 "\"layer_norm_epsilon\": -1}", OSC_EFORMAT, "layer_norm_epsilon is -1" },
    { GPTJ "\"rotary_dim\": null}", OSC_EUNSUP, "rotary_dim null" },
    { GPTJ "\"rotary_dim\": 0}", OSC_EFORMAT, "rotary_dim 0" },
    { GPTJ "\"rotary_dim\": 63}", OSC_EFORMAT, "rotary_dim 63" },
    { GPTJ "\"rotary_dim\": 258}", OSC_EFORMAT, "rotary_dim 258" },
    { GPTJ "\"activation_function\": \"gelu_10\"}", OSC_EUNSUP, "activation_function \"gelu_10\"" },
    { BLOOM "\"apply_residual_connection_post_layernorm\": true}", OSC_EUNSUP,
      "apply_residual_connection_post_layernorm true" },
    { BLOOM "\"layer_norm_epsilon\": 0}", OSC_EFORMAT, "layer_norm_epsilon is 0" },
    { "{\"model_type\": \"bloom\", \"n_layer\": 3, \"n_head\": 6}", OSC_EFORMAT,
      "no \"n_embed\" (or \"hidden_size\")" },
    { "{\"model_type\": \"bloom\", \"n_embed\": 96, \"n_head\": 6}", OSC_EFORMAT,
      "no \"n_layer\" (or \"num_hidden_layers\")" },
    { "{\"model_type\": \"bloom\", \"n_embed\": 96, \"n_layer\": 6}", OSC_EFORMAT,
      "no \"n_head\" (or \"num_attention_heads\")" },
    { LLAMA "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2.0}}", OSC_EUNSUP,
      "rope_scaling: rope_type \"linear\"" },
    { LLAMA "\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8.0}}", OSC_EUNSUP,
      "rope_scaling: rope_type \"llama3\"" },
    { LLAMA "\"rope_parameters\": {\"rope_type\": \"yarn\"}}", OSC_EUNSUP,
      "rope_parameters: rope_type \"yarn\"" },
    { LLAMA "\"rope_scaling\": 2}", OSC_EFORMAT, "\"rope_scaling\" is not an object" },
    { LLAMA "\"rope_theta\": 0}", OSC_EFORMAT, "rope_theta is 0" },
    { LLAMA "\"rope_parameters\": {\"partial_rotary_factor\": 0.5}}", OSC_EUNSUP,
      "partial_rotary_factor 0.5" },
    { LLAMA "\"num_key_value_heads\": 5}", OSC_EFORMAT,
      "num_attention_heads 32 is not a multiple of num_key_value_heads 5" },
    { LLAMA "\"num_key_value_heads\": 0}", OSC_EFORMAT, "num_key_value_heads 0" },
    { LLAMA "\"hidden_size\": 4100}", OSC_EFORMAT, "hidden_size 4100" },
    { LLAMA "\"head_dim\": 65}", OSC_EFORMAT, "head_dim 65" },
    { LLAMA "\"hidden_act\": \"relu2\"}", OSC_EUNSUP, "hidden_act \"relu2\"" },
    { LLAMA "\"rms_norm_eps\": 0}", OSC_EFORMAT, "rms_norm_eps is 0" },
    { LLAMA "\"bos_token_id\": 32000}", OSC_EFORMAT, "bos_token_id 32000" },
};

START_TEST(test_refused)
{
    osc_config c;
    ck_assert_int_eq(configure(&c, refused[_i].text), refused[_i].status);
    ck_assert_msg(strstr(osc_error(), refused[_i].message) != NULL, "%s: %s", refused[_i].text,
                  osc_error());
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config");
    TCase *tc = tcase_create("config.json");
    tcase_add_test(tc, test_defaults);
    tcase_add_test(tc, test_names);
    tcase_add_loop_test(tc, test_refused, 0, sizeof refused / sizeof *refused);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
