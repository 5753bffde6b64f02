/* The errors of linear layers as heat maps.  Scheme none is not drawn: its rounding is
 * a hundred dB away from the others and would take their colours. */
#include <config.h>
#include "experiments/errors.h"

#include <math.h>

#include "analyses/blockmap.h"
#include "cli/output.h"

/* The layers that any of the models has are the columns. */
typedef struct {
    size_t          linear[STUDY_LINEARS], linears;
    blockmap_panel *panel;
    char          (*title)[560];
    double        **value;
    size_t          count, most;
} maps;

static osc_status add_map(maps *all, const model_errors *m, size_t scheme, const char *name,
                          bool several)
{
    double *value = osc_alloc(m->layers * all->linears, sizeof *value);
    if (value == NULL)
        return OSC_ENOMEM;
    for (size_t b = 0; b < m->layers; b++)
        for (size_t c = 0; c < all->linears; c++)
            value[b * all->linears + c] = m->has[all->linear[c]]
                ? errors_sqnr(errors_at(m, scheme, b, all->linear[c])) : NAN;
    snprintf(all->title[all->count], sizeof *all->title, "%s%s%s", several ? m->model : "",
             several ? " " : "", name);
    all->value[all->count] = value;
    all->panel[all->count] = (blockmap_panel){ .title = all->title[all->count],
                                               .rows = m->layers, .value = value };
    all->count++;
    return OSC_OK;
}

static osc_status make_maps(maps *all, const error_results *r, const compare_options *o)
{
    size_t first = o->list.count > 1 ? 1 : 0;
    for (size_t l = 0; l < STUDY_LINEARS; l++) {
        bool has = false;
        for (size_t i = 0; i < r->count; i++)
            has = has || r->model[i].has[l];
        if (has)
            all->linear[all->linears++] = l;
    }
    all->most = r->count * o->list.count;
    all->panel = osc_alloc(all->most, sizeof *all->panel);
    all->title = osc_alloc(all->most, sizeof *all->title);
    all->value = osc_alloc(all->most, sizeof *all->value);
    if (all->panel == NULL || all->title == NULL || all->value == NULL)
        return OSC_ENOMEM;
    for (size_t i = 0; i < r->count; i++)
        for (size_t s = first; s < o->list.count; s++)
            OSC_TRY(add_map(all, &r->model[i], s, o->list.text[s], r->count > 1));
    return OSC_OK;
}

static void free_maps(maps *all)
{
    for (size_t i = 0; i < all->count; i++)
        osc_free(all->value[i]);
    osc_free(all->value);
    osc_free(all->title);
    osc_free(all->panel);
}

static osc_status write_maps(const maps *all, const error_results *r, const char *path)
{
    const char *names[STUDY_LINEARS];
    char title[400], subtitle[400];
    cli_output output;
    for (size_t c = 0; c < all->linears; c++)
        names[c] = layer_study_name(all->linear[c]);
    snprintf(title, sizeof title, "Quantization noise of linear layers%s%s",
             r->count == 1 ? ": " : "", r->count == 1 ? r->model[0].model : "");
    snprintf(subtitle, sizeof subtitle, "Signal-to-quantization-noise ratio of each layer's "
             "output against its float64 product on the same input, over %zu sequence%s of at "
             "most %zu ids, protocol %s.", r->model[0].sequences,
             r->model[0].sequences == 1 ? "" : "s", r->model[0].length,
             osc_protocol_name(r->model[0].protocol));
    blockmap map = {
        .title = title, .subtitle = subtitle, .unit = "dB", .column = names,
        .value_label = "SQNR: the darker, the more noise", .columns = all->linears,
        .panel = all->panel, .panels = all->count,
    };
    OSC_TRY(cli_output_open(&output, path));
    blockmap_write(&map, output.stream);
    return cli_output_commit(&output);
}

osc_status errors_plot(const error_results *r, const compare_options *o)
{
    maps all = { .count = 0 };
    osc_status status = make_maps(&all, r, o);
    if (status == OSC_OK)
        status = write_maps(&all, r, o->plot);
    free_maps(&all);
    return status;
}
