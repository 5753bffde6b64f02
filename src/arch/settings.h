/* Reading config.json: what several architectures have in common.  Messages name the
 * key and the value. */
#ifndef OSC_ARCH_SETTINGS_H
#define OSC_ARCH_SETTINGS_H

#include "engine/arch.h"

/* The value of `key`, or of `alias` where there is no `key`; else *out stays. */
osc_status osc_setting_size(size_t *out, const json_t *json, const char *key, const char *alias);

/* OSC_EFORMAT if neither is there. */
osc_status osc_setting_required(size_t *out, const json_t *json, const char *key,
                                const char *alias);

/* A name of transformers' table of activations; OSC_EUNSUP for one that the engine lacks. */
osc_status osc_setting_activation(osc_activation *activation, const json_t *json, const char *key,
                                  const char *otherwise);

/* A norm's eps: positive. */
osc_status osc_setting_eps(float *eps, const json_t *json, const char *key);

/* OSC_EUNSUP if `key` is true. */
osc_status osc_setting_refuse_true(const json_t *json, const char *key);

/* Heads of H / A components, as many for k and v as for q; the names of the two are for
 * the message. */
osc_status osc_setting_split_heads(osc_config *config, const char *width, const char *heads);

/* Sizes by the names of GPT-2 and GPT-J (n_embd), or by those that other models use; what is
 * not there stays.  The feed-forward layer is 4 H wide where n_inner says nothing. */
osc_status osc_setting_gpt_sizes(osc_config *config, const json_t *json);

#endif
