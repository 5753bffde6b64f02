/* The section that says the main results in sentences. */
#include <config.h>
#include "analyses/report.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "analyses/markup.h"

enum { ITEM_MOST = 1024 };

__attribute__((format(printf, 2, 3)))
static void put_item(FILE *out, const char *format, ...)
{
    char text[ITEM_MOST];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    markup_element(out, "li", text);
    fputc('\n', out);
}

/* "55, 184, 194" of the outliers, cut after a few. */
static void list_features(char *text, size_t size, const feature_list *features)
{
    enum { SHOWN = 8 };
    size_t used = 0, shown = 0;
    text[0] = '\0';
    for (size_t i = 0; i < features->count && shown < SHOWN; i++)
        if (features->row[i].outlier)
            used += (size_t)snprintf(text + used, size - used, "%s%zu", shown++ > 0 ? ", " : "",
                                     features->row[i].feature);
    if (shown < features->count)
        snprintf(text + used, size - used, ", ...");
}

static void say_outliers(FILE *out, const outlier_result *r)
{
    const feature_row *common = r->summary.common;
    char features[256], scheme[128] = "";
    if (strcmp(r->scheme, "none") != 0)
        snprintf(scheme, sizeof scheme, " under %.100s", r->scheme);
    if (common == NULL) {
        put_item(out, "%.256s%s has no outlier feature.", r->model, scheme);
        return;
    }
    list_features(features, sizeof features, &r->features);
    put_item(out, "%.256s%s has %zu outlier feature%s (%s); the most common reaches %g in "
             "%.1f\u00a0%% of the layers and at %.1f\u00a0%% of the positions.", r->model, scheme,
             r->summary.count, r->summary.count == 1 ? "" : "s", features, r->info.alpha,
             100 * common->layers, 100 * common->positions);
}

static osc_status say_ablation(FILE *out, const ablation *a)
{
    ablation_summary random;
    char control[256] = "";
    size_t last = a->steps - 1;
    double base = ablation_baseline(a)->perplexity;
    if (a->features == 0)
        return OSC_OK;
    double without = ablation_chosen(a, last)->perplexity;
    OSC_TRY(ablation_summarize(&random, a, last, ABLATION_PERPLEXITY, ABLATION_ALL_BLOCKS));
    if (isfinite(random.mean))
        snprintf(control, sizeof control, "; without as many random ones by %.2f (mean of %zu)",
                 random.mean / base, a->draws);
    if (isfinite(without / base))
        put_item(out, "Taking %zu feature%s out of %.256s multiplies its perplexity of %.2f by "
                 "%.2f%s.", a->features, a->features == 1 ? "" : "s", a->model, base,
                 without / base, control);
    return OSC_OK;
}

/* The schemes of one group that cost most and least. */
static void say_schemes(FILE *out, const scheme_cells *cells, size_t group)
{
    const scheme_cell *least = NULL, *most = NULL;
    size_t schemes = 0;
    for (size_t i = 0; i < cells->count; i++) {
        const scheme_cell *c = &cells->cell[i];
        if (c->group != group || !isfinite(c->relative) || strcmp(c->scheme, "none") == 0)
            continue;
        schemes++;
        least = least == NULL || c->relative < least->relative ? c : least;
        most = most == NULL || c->relative > most->relative ? c : most;
    }
    if (least != NULL && least != most)
        put_item(out, "Of the matmul schemes tried, %.100s changes the perplexity of %.256s (%.2f) "
                 "by %+.2f\u00a0%%, %.100s by %+.2f\u00a0%%%s.", least->scheme, least->model,
                 least->base, 100 * (least->relative - 1), most->scheme, 100 * (most->relative - 1),
                 schemes > 2 ? "; the others lie between" : "");
}

osc_status report_write_summary(report *r, FILE *out)
{
    fputs("<ul>\n", out);
    for (size_t i = 0; i < r->records; i++)
        say_outliers(out, &r->record[i]);
    for (size_t i = 0; i < r->ablations; i++)
        OSC_TRY(say_ablation(out, &r->ablation[i]));
    for (size_t group = 0; group < r->schemes.groups; group++)
        say_schemes(out, &r->schemes, group);
    fprintf(out, "</ul>\n<p>On what text, and made by what: "
            "<a href=\"#provenance\">Provenance</a>.</p>\n");
    return OSC_OK;
}
