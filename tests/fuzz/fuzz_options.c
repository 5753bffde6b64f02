/* Texts of the command line: schemes, models with random weights, protocols, backends,
 * points. */
#include "fuzz.h"

#include "osc.h"

#include <stdio.h>
#include <string.h>

static void synth(const char *text)
{
    char path[300];
    osc_store *store;
    snprintf(path, sizeof path, "synth:%s", text);
    if (osc_synth_is(path) && osc_synth_store(&store, path) == OSC_OK)
        osc_store_close(store);
}

static void hooks(const char *text)
{
    osc_hooks *hooks;
    if (osc_hooks_create(&hooks, 3) != OSC_OK)
        return;
    (void)osc_hooks_add(hooks, text, OSC_READ, NULL, NULL);
    osc_hooks_free(hooks);
}

FUZZ_TARGET(options)
{
    enum { SCHEME, SYNTH, PROTOCOL, BACKEND, HOOKS, KINDS };
    char text[256];
    osc_scheme_choice choice;
    osc_protocol protocol;
    const osc_backend *backend;
    size_t kind = fuzz_choice(&data, &size, KINDS);
    size_t length = size < sizeof text - 1 ? size : sizeof text - 1;
    memcpy(text, data, length);
    text[length] = '\0';
    switch (kind) {
    case SCHEME:
        /* A file of columns is for another target, and devices are nobody's files. */
        if (strstr(text, "columns") == NULL)
            (void)osc_scheme_parse(&choice, text);
        break;
    case SYNTH:    synth(text); break;
    case PROTOCOL: (void)osc_protocol_parse(&protocol, text); break;
    case BACKEND:  (void)osc_backend_find(&backend, text); break;
    default:       hooks(text);
    }
}
