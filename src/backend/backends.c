#include <config.h>
#include "backend/backend.h"

#include <string.h>

#include "backend/cpu.h"

const osc_backend *const osc_backends[] = { &osc_backend_cpu, NULL };

osc_status osc_backend_find(const osc_backend **backend, const char *name)
{
    for (size_t i = 0; osc_backends[i] != NULL; i++) {
        if (name == NULL || strcmp(name, osc_backends[i]->name) == 0) {
            *backend = osc_backends[i];
            return OSC_OK;
        }
    }
    char known[128] = "";
    for (size_t i = 0; osc_backends[i] != NULL; i++) {
        if (i > 0)
            strncat(known, ", ", sizeof known - strlen(known) - 1);
        strncat(known, osc_backends[i]->name, sizeof known - strlen(known) - 1);
    }
    return osc_fail(OSC_EINVAL, "no backend '%s' in this build (there is: %s)", name, known);
}
