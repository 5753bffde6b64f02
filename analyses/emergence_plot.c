/* The figures of `emergence`. */
#include <config.h>
#include "analyses/emergence.h"

#include <math.h>
#include <string.h>

#include "analyses/published.h"
#include "analyses/record_text.h"
#include "analyses/scatter.h"

#define AT_LEAST "\u2265"

enum { NODES = 97, SERIES = 3, SUBTITLE = 4096 };

/* The marks of a panel: complete records, incomplete ones, published models. */
typedef enum { COMPLETE, INCOMPLETE, PUBLISHED } kind;

typedef struct {
    scatter_point  *point[SERIES];                        /* owned */
    scatter_node    node[2][NODES];                       /* records, published */
    scatter_series  series[SERIES];
    char            caption[SCATTER_CAPTIONS][640], heading[96];
} panel_parts;

/* Without and with a curve. */
static const char *const series_names[SERIES][2] = {
    [COMPLETE]   = { "recorded models", "recorded models; line: least-squares curve, shaded: its "
                                        "95 % confidence band" },
    [INCOMPLETE] = { "recorded models, incomplete records",
                     "recorded models, incomplete records" },
    [PUBLISHED]  = { "as published (LLM.int8(), Table 4), in no statistic of the records",
                     "as published (LLM.int8(), Table 4), in no statistic or curve of the "
                     "records; dashed: a curve of their own" },
};

static double scaled(emergence_quantity q, double value)
{
    return emergence_quantities[q].unit != NULL ? 100 * value : value;
}

/* --- a panel ----------------------------------------------------------------------------- */

/* The curve over the range of its points, evenly on the axis; returns the nodes. */
static size_t trace(scatter_node *node, const emergence_relation *r, const fit_result *fit,
                    bool band)
{
    if (fit->refused[0] != '\0')
        return 0;
    for (size_t i = 0; i < NODES; i++) {
        double half, share = (double)i / (NODES - 1);
        double at = fit->x_low + share * (fit->x_high - fit->x_low);
        double y = fit_at(fit, at, &half);
        half = band ? half : NAN;
        node[i] = (scatter_node){
            .x = emergence_quantities[r->x].log ? pow(10, at) : at, .y = scaled(r->y, y),
            .low = scaled(r->y, y - half), .high = scaled(r->y, y + half),
        };
    }
    return NODES;
}

static bool belongs(const emergence_point *p, kind k)
{
    return k == PUBLISHED || p->incomplete == (k == INCOMPLETE);
}

/* Series of a kind that the set has none of are left out. */
static osc_status fill_series(panel_parts *parts, size_t *series, const emergence_family *family,
                              const emergence_relation *r, kind k)
{
    static const scatter_mark marks[SERIES] = { SCATTER_DISC, SCATTER_RING, SCATTER_DIAMOND };
    scatter_point *point = osc_alloc(family->count, sizeof *point);
    if (point == NULL)
        return OSC_ENOMEM;
    size_t count = 0;
    for (size_t i = 0; i < family->count; i++) {
        const emergence_point *p = &family->point[i];
        if (belongs(p, k))
            point[count++] = (scatter_point){ p->value[r->x], scaled(r->y, p->value[r->y]),
                                              p->name };
    }
    parts->point[k] = point;
    if (count == 0)
        return OSC_OK;
    parts->series[(*series)++] = (scatter_series){
        .name = series_names[k][0], .mark = marks[k], .point = point, .count = count,
    };
    return OSC_OK;
}

static void add_curve(scatter_series *series, scatter_node *node, const emergence_relation *r,
                      const emergence_family *family, bool band)
{
    series->curve = node;
    series->nodes = trace(node, r, &family->outcome[r - emergence_relations].fit, band);
}

static osc_status fill_all_series(panel_parts *parts, size_t *count, const emergence_set *set,
                                  const emergence_relation *r)
{
    OSC_TRY(fill_series(parts, count, &set->records, r, COMPLETE));
    OSC_TRY(fill_series(parts, count, &set->records, r, INCOMPLETE));
    add_curve(&parts->series[0], parts->node[0], r, &set->records, true);
    if (!emergence_relates(&set->published, (size_t)(r - emergence_relations)))
        return OSC_OK;
    OSC_TRY(fill_series(parts, count, &set->published, r, PUBLISHED));
    add_curve(&parts->series[*count - 1], parts->node[1], r, &set->published, false);
    return OSC_OK;
}

static void write_captions(panel_parts *parts, scatter_panel *panel, const emergence_set *set,
                           const emergence_relation *r)
{
    static const char *const whose[] = { "records: ", "published: " };
    const emergence_family *families[] = { &set->records, &set->published };
    size_t index = (size_t)(r - emergence_relations), line = 0;
    for (size_t f = 0; f < 2; f++) {
        if (!emergence_relates(families[f], index))
            continue;
        const emergence_outcome *o = &families[f]->outcome[index];
        char text[560];
        snprintf(parts->caption[line++], sizeof *parts->caption, "%s%s",
                 !emergence_relates(&set->published, index) ? "" : whose[f],
                 emergence_ranks_text(text, sizeof text, &o->ranks));
        emergence_fit_text(parts->caption[line++], sizeof *parts->caption, r, &o->fit);
    }
    for (size_t i = 0; i < line; i++)
        panel->caption[i] = parts->caption[i];
}

static scatter_axis axis_of(emergence_quantity q, bool upward)
{
    const emergence_quantity_info *info = &emergence_quantities[q];
    return (scatter_axis){
        .label = info->axis, .log = info->log, .log_if_wide = info->log_if_wide && !upward,
        .reversed = info->reversed && !upward,
        .amounts = q == EMERGENCE_PARAMETERS, .whole = info->whole,
        .from_zero = upward, .high = info->unit != NULL ? 100 : 0,
    };
}

static osc_status fill_panel(scatter_panel *panel, panel_parts *parts, const emergence_set *set,
                             const emergence_relation *r)
{
    char text[64];
    const char *number = emergence_figures[r->figure].number;
    snprintf(parts->heading, sizeof parts->heading, "%s%s%s", number,
             number[0] != '\0' ? "  " : "", emergence_relation_text(text, sizeof text, r));
    *panel = (scatter_panel){
        .heading = parts->heading, .x = axis_of(r->x, false), .y = axis_of(r->y, true),
        .series = parts->series,
    };
    write_captions(parts, panel, set, r);
    return fill_all_series(parts, &panel->count, set, r);
}

/* --- a figure ------------------------------------------------------------------------------ */

/* Appends a sentence as far as there is room. */
static void add_sentence(void *user, const char *text)
{
    char *subtitle = user;
    size_t used = strlen(subtitle);
    snprintf(subtitle + used, SUBTITLE - used, " %s", text);
}

static void describe_rule(char *text, const emergence_set *set)
{
    char rule[160];
    snprintf(text, SUBTITLE, "Outlier: a feature with |x| " AT_LEAST " %g %s; layers, positions: "
             "%s.", set->result[0].info.alpha,
             outliers_rule_text(rule, sizeof rule, &set->options.outliers.rule, AT_LEAST),
             set->options.mean ? "mean over the outliers" : "of the most common outlier");
}

static void write_subtitle(char *text, const emergence_set *set, emergence_figure figure)
{
    const outlier_result *first = &set->result[0];
    bool of_paper = figure == EMERGENCE_FIGURES || emergence_figures[figure].number[0] != '\0';
    bool alike = emergence_alike(set);
    char protocol[512], sentence[900];
    if (of_paper)
        describe_rule(text, set);
    else
        snprintf(text, SUBTITLE, "%s", emergence_measures);
    record_protocol_text(protocol, sizeof protocol, &first->info, first->protocol,
                         first->scheme);
    snprintf(sentence, sizeof sentence, "%zu record%s%s%s.", set->records.count,
             set->records.count == 1 ? "" : "s", alike ? ": " : "", alike ? protocol : "");
    add_sentence(text, sentence);
    emergence_cautions(set, add_sentence, text);
}

/* The legend, that of the first panel, speaks of curves if some panel has one. */
static void name_series(const scatter_panel *panel, panel_parts *parts, size_t panels)
{
    for (size_t s = 0; s < panel->count; s++) {
        scatter_series *series = &parts[0].series[s];
        bool curve = false;
        for (size_t i = 0; i < panels; i++)
            curve |= parts[i].series[s].nodes > 0;
        for (size_t k = 0; k < SERIES; k++)
            if (curve && series->name == series_names[k][0])
                series->name = series_names[k][1];
    }
}

static bool is_of(const emergence_relation *r, emergence_figure figure)
{
    if (figure == EMERGENCE_FIGURES)
        return r->figure >= 0 && emergence_figures[r->figure].number[0] != '\0';
    return r->figure == (int)figure;
}

static osc_status fill_and_write(const emergence_set *set, emergence_figure figure,
                                 scatter_panel *panel, panel_parts *parts, FILE *out)
{
    char subtitle[SUBTITLE];
    size_t count = 0;
    for (size_t i = 0; i < EMERGENCE_RELATIONS; i++) {
        const emergence_relation *r = &emergence_relations[i];
        if (!is_of(r, figure) || !emergence_relates(&set->records, i))
            continue;
        OSC_TRY(fill_panel(&panel[count], &parts[count], set, r));
        count++;
    }
    if (count == 0)
        return osc_fail(OSC_ENOTFOUND, "the records have nothing for figure %s",
                        emergence_figures[figure].key);
    name_series(panel, parts, count);
    write_subtitle(subtitle, set, figure);
    return scatter_write(&(scatter){
        .title = figure == EMERGENCE_FIGURES ? "How outlier features emerge"
                                             : emergence_figures[figure].title,
        .subtitle = subtitle, .panel = panel, .panels = count, .columns = count > 1 ? 2 : 1,
    }, out);
}

osc_status emergence_draw(const emergence_set *set, emergence_figure figure, FILE *out)
{
    scatter_panel *panel = osc_alloc(EMERGENCE_RELATIONS, sizeof *panel);
    panel_parts *parts = osc_alloc(EMERGENCE_RELATIONS, sizeof *parts);
    osc_status status = panel == NULL || parts == NULL
                      ? OSC_ENOMEM : fill_and_write(set, figure, panel, parts, out);
    for (size_t i = 0; i < EMERGENCE_RELATIONS && parts != NULL; i++)
        for (size_t k = 0; k < SERIES; k++)
            osc_free(parts[i].point[k]);
    osc_free(panel);
    osc_free(parts);
    return status;
}
