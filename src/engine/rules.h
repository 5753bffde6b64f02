/* What an architecture's rules (arch.h) say about a model of a given config. */
#ifndef OSC_ENGINE_RULES_H
#define OSC_ENGINE_RULES_H

#include "engine/arch.h"

enum { OSC_RULE_NAME = 256 };   /* bytes of a tensor's name */

/* The rule's name in block `layer`, or as it is if it is not a block's, after
 * `prefix`. */
void osc_rule_name(char name[OSC_RULE_NAME], const char *prefix, const osc_rule *rule,
                   size_t layer);
/* The shape of the stored tensor; returns the number of dimensions, 1 or 2. */
size_t osc_rule_shape(size_t dim[2], const osc_rule *rule, const osc_config *config);
/* The slot's part of the stored tensor, which has that shape. */
osc_tensor osc_rule_view(const osc_rule *rule, const osc_config *config, const osc_tensor *stored);
/* Whether a model of this config has the tensor. */
bool osc_rule_holds(const osc_rule *rule, const osc_config *config);

/* The architecture of this model_type; OSC_EUNSUP names those there are. */
osc_status osc_arch_find(const osc_arch **arch, const char *model_type);
/* What the config.json `json` says, checked, in the architecture that it names. */
osc_status osc_config_read(osc_config *config, const osc_arch **arch, const json_t *json);

#endif
