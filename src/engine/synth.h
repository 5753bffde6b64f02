/* Models with random weights and planted outlier features, for experiments on size
 * and speed that need no checkpoint.
 *
 *     synth:opt-6.7b,seed=1,outliers=7,magnitude=20,dtype=float16,num_hidden_layers=4
 *
 * A preset of an architecture (arch.h), then settings, all optional: the seed (0), how
 * many outlier features to plant (0) and the size of their values (20), the type of
 * the weights (float16), and any number of the preset's config.json by its name.
 *
 * Weights are drawn as for training, with standard deviation 0.02, those that end in
 * the residual stream divided by sqrt(2 * blocks); norms are the identity.  In an
 * outlier feature every norm of every block has the weight magnitude / 5 and the bias
 * +magnitude or -magnitude: the inputs of q, k, v and fc1 are one-sided there and far
 * from 0 at nearly every position, in all blocks. */
#ifndef OSC_ENGINE_SYNTH_H
#define OSC_ENGINE_SYNTH_H

#include "engine/model.h"
#include "store/generated.h"

enum { OSC_SYNTH_OUTLIERS = 64 };   /* planted features, at most */

/* Whether a model's path is such a text. */
bool osc_synth_is(const char *path);

/* The store that `text` describes; its path is the text with every setting spelled
 * out.  OSC_EINVAL names the nearest preset or setting. */
osc_status osc_synth_store(osc_store **store, const char *text);

/* The planted features of such a model, rising; returns their number. */
size_t osc_synth_planted(uint32_t feature[OSC_SYNTH_OUTLIERS], const osc_model *model);

#endif
