#include <config.h>
#include "analyses/coverage.h"

#include <stdio.h>

#include "analyses/heatmap.h"
#include "analyses/record_text.h"

#define AT_LEAST "\u2265"

static const char mark_label[] =
    "outlier feature: reached in at least 25 % of the blocks and at 6 % or more of the "
    "(block, position) pairs";

/* The texts of a map, which must outlive it. */
typedef struct {
    char title[256], subtitle[1024], value[64];
} captions;

static void write_captions(captions *text, const coverage *c, const osc_record_info *info,
                           const coverage_choice *choice, bool all)
{
    char caption[256], protocol[512], which[192];
    coverage_caption(caption, sizeof caption, c, info->alpha, AT_LEAST);
    record_protocol_text(protocol, sizeof protocol, info, info->protocol, info->scheme);
    if (all)
        snprintf(which, sizeof which, "%zu of %zu features reach it", choice->reaching,
                 c->width);
    else if (choice->count < choice->reaching)
        snprintf(which, sizeof which,
                 "%zu of %zu features reach it, %zu are shown, outliers before others, by coverage",
                 choice->reaching, c->width, choice->count);
    else
        snprintf(which, sizeof which, "%zu of %zu features reach it, the others are left out",
                 choice->reaching, c->width);
    snprintf(text->title, sizeof text->title, "Where features of %.160s reach |x| " AT_LEAST " %g",
             info->model, info->alpha);
    snprintf(text->subtitle, sizeof text->subtitle, "%s; %s. %s%s.", caption, which, protocol,
             info->complete ? "" : "; incomplete");
    snprintf(text->value, sizeof text->value, "share of the positions with |x| " AT_LEAST " %g",
             info->alpha);
}

static osc_status write_map(const coverage *c, const osc_record_info *info,
                            const coverage_choice *choice, bool all, FILE *out)
{
    captions text;
    size_t count = choice->count;
    write_captions(&text, c, info, choice, all);
    double *value = osc_alloc(c->layers * count, sizeof *value);   /* no more than c->count */
    bool *marked = osc_alloc(count, sizeof *marked);
    osc_status status = OSC_ENOMEM;
    if (value != NULL && marked != NULL) {
        for (size_t i = 0; i < count; i++) {
            marked[i] = c->outlier[choice->feature[i]];
            for (size_t layer = 0; layer < c->layers; layer++)
                value[layer * count + i] = coverage_share(c, layer, choice->feature[i]);
        }
        status = heatmap_write(&(heatmap){
            .title = text.title, .subtitle = text.subtitle, .value_label = text.value,
            .mark_label = mark_label, .rows = c->layers, .columns = count, .value = value,
            .feature = choice->feature, .marked = marked, .axis = all }, out);
    }
    osc_free(value);
    osc_free(marked);
    return status;
}

/* Every feature of the model, in order, in place of those chosen. */
static osc_status take_all(coverage_choice *choice, const coverage *c)
{
    size_t *feature = osc_alloc(c->width, sizeof *feature);
    if (feature == NULL)
        return OSC_ENOMEM;
    for (size_t f = 0; f < c->width; f++)
        feature[f] = f;
    osc_free(choice->feature);
    choice->feature = feature;
    choice->count = c->width;
    return OSC_OK;
}

osc_status coverage_write_plot(const coverage *c, const osc_record_info *info, bool all,
                               coverage_order order, FILE *out)
{
    coverage_choice choice;
    OSC_TRY(coverage_choose(&choice, c, HEATMAP_LABELLED_MOST, order));
    all |= choice.reaching == 0;   /* an empty map still shows where nothing is */
    osc_status status = all ? take_all(&choice, c) : OSC_OK;
    if (status == OSC_OK)
        status = write_map(c, info, &choice, all, out);
    osc_free(choice.feature);
    return status;
}
