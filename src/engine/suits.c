#include <config.h>
#include "engine/model.h"

osc_status osc_model_suits(const osc_model *model, const osc_backend *backend)
{
    const osc_config *c = osc_model_config(model);
    const struct { const char *what; bool needed, there; } table[] = {
        { "RMSNorm", c->rms_norm, backend->rmsnorm != NULL },
        { "rotary position embeddings", c->rotary > 0, backend->rotate != NULL },
        { "gated feed-forward layers", c->gated, backend->multiply != NULL },
        { "key/value heads shared by query heads", c->kv_heads != c->heads,
          (backend->attends & OSC_ATTENDS_GROUPS) != 0 },
        { "ALiBi", c->alibi, (backend->attends & OSC_ATTENDS_ALIBI) != 0 },
        { "language-model heads with a bias", osc_model_once(model, OSC_B_HEAD) != NULL,
          backend->head_biased != NULL },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].needed && !table[i].there)
            return osc_fail(OSC_EUNSUP, "backend %s cannot run %s (%s): it has no %s",
                            backend->name, osc_model_name(model), c->arch, table[i].what);
    return OSC_OK;
}
