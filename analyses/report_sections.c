/* The sections of the page. */
#include <config.h>
#include "analyses/report.h"

#include <math.h>
#include <string.h>

#include "analyses/coverage.h"
#include "analyses/emergence.h"
#include "analyses/markup.h"

/* --- outlier features -------------------------------------------------------------- */

static osc_status write_outliers(report *r, FILE *out)
{
    static const outlier_options options = { .rule = FEATURE_RULE_DEFAULT };
    size_t features = 0;
    if (r->records == 0)
        return OSC_OK;
    for (size_t i = 0; i < r->records; i++)
        features += r->record[i].features.count;
    report_begin_table(r, out, "Outlier features of each record, from the worst model to the "
                       "best: how many there are, how far they reach, and how the attention "
                       "depends on them.");
    OSC_TRY(outliers_write(r->record, r->records, TABLE_HTML, &options, out));
    report_end(out);
    if (features == 0)
        return OSC_OK;
    report_begin_table(r, out, "Each outlier feature: the share of blocks, tracked tensors, "
                       "(block, position) pairs and positions at which its magnitude reaches the "
                       "threshold, and its values.");
    OSC_TRY(outliers_write_features(r->record, r->records, TABLE_HTML, out));
    report_end(out);
    return OSC_OK;
}

static osc_status write_metrics(report *r, FILE *out)
{
    bool recorded = false;
    for (size_t i = 0; i < r->records; i++)
        recorded |= r->record[i].metrics.recorded;
    if (!recorded)
        return OSC_OK;
    report_begin_table(r, out, "Measures of outliers that know no threshold of magnitude: "
                       "kurtosis and max/median ratio of the block inputs (He et al., arXiv "
                       "2405.19279), inf-norm and kurtosis of the modules' outputs (Bondarenko "
                       "et al., arXiv 2306.12929), massive activations of the residual stream "
                       "(Sun et al., arXiv 2402.17762).");
    OSC_TRY(outliers_write_metrics(r->record, r->records, TABLE_HTML, out));
    report_end(out);
    return OSC_OK;
}

/* --- coverage ---------------------------------------------------------------------- */

typedef struct {
    const coverage        *c;
    const osc_record_info *info;
} coverage_map;

static osc_status draw_coverage(const void *user, FILE *out)
{
    const coverage_map *map = user;
    return coverage_write_plot(map->c, map->info, false, ORDER_COVERAGE, out);
}

static bool reaches(const coverage *c)
{
    bool some = false;
    for (size_t f = 0; f < c->width && !some; f++)
        some = coverage_total(c, f) > 0;
    return some;
}

static osc_status write_map(report *r, FILE *out, osc_record *record, const char *file)
{
    coverage c;
    const osc_record_info *info = osc_record_get_info(record);
    OSC_TRY(coverage_of_tracked(&c, record));
    osc_status status = OSC_OK;
    if (reaches(&c)) {
        status = report_figure(r, out, draw_coverage, &(coverage_map){ &c, info },
                               "Coverage in %s (%s): one column per feature, one row per block; "
                               "the darker, the more positions have the feature at the threshold "
                               "or beyond.", info->model, file);
    } else {
        fputs("<p>No feature of ", out);
        markup_text(out, info->model);
        fputs(" (", out);
        markup_text(out, file);
        fprintf(out, ") reaches %g anywhere.</p>\n", info->alpha);
    }
    coverage_free(&c);
    return status;
}

static osc_status write_coverage(report *r, FILE *out)
{
    for (size_t i = 0; i < r->records; i++) {
        const char *file = r->record[i].path;
        osc_record *record;
        char *path = osc_path_join(r->folder, file);
        if (path == NULL)
            return OSC_ENOMEM;
        osc_status status = osc_record_open(&record, path);
        if (status == OSC_OK) {
            status = write_map(r, out, record, file);
            osc_record_close(record);
        }
        osc_free(path);
        if (status != OSC_OK)
            OSC_TRY(report_add_notice(r, file, osc_error()));
    }
    return OSC_OK;
}

/* --- emergence --------------------------------------------------------------------- */

static osc_status draw_emergence(const void *user, FILE *out)
{
    return emergence_draw(user, EMERGENCE_FIGURES, out);
}

static osc_status draw_metrics(const void *user, FILE *out)
{
    return emergence_draw(user, EMERGENCE_METRICS_PERPLEXITY, out);
}

static bool have_metrics(const emergence_set *set)
{
    bool some = false;
    for (size_t i = 0; i < set->records.count; i++)
        some |= set->result[i].metrics.recorded;
    return some;
}

static osc_status write_family(report *r, FILE *out, const emergence_set *set)
{
    OSC_TRY(report_figure(r, out, draw_emergence, set, "Emergence over the models of this report, "
                          "a point each, as the paper's figures 3 and 4: how much of a model the "
                          "most common outlier feature affects, by size and by perplexity; how "
                          "large it is; how many there are. A curve stands only where the points "
                          "support one, with its 95 %% confidence band."));
    if (have_metrics(set))
        OSC_TRY(report_figure(r, out, draw_metrics, set, "The other measures of outliers over the "
                              "same models, by perplexity."));
    report_begin_table(r, out, "The points of the figures.");
    OSC_TRY(emergence_write_points(set, TABLE_HTML, out));
    report_end(out);
    report_begin_table(r, out, "How the quantities go together: rank correlations and curves.");
    OSC_TRY(emergence_write_relations(set, TABLE_HTML, out));
    report_end(out);
    return OSC_OK;
}

/* Notes name records by path: those of the page are relative. */
static osc_status shorten_paths(emergence_set *set, const char *folder)
{
    size_t skip = strlen(folder) + 1;
    for (size_t i = 0; i < set->records.count; i++) {
        char *path = set->result[i].path;
        char *name = osc_copy_string(path + skip, strlen(path + skip));
        if (name == NULL)
            return OSC_ENOMEM;
        set->result[i].path = name;
        osc_free(path);
    }
    return OSC_OK;
}

/* A model is one point: of its records those as stored count, if there are any. */
static size_t choose_family(const report *r, char **path)
{
    bool plain = false;
    size_t count = 0;
    for (size_t i = 0; i < r->records; i++)
        plain |= strcmp(r->record[i].scheme, "none") == 0;
    for (size_t i = 0; i < r->records; i++) {
        if (plain && strcmp(r->record[i].scheme, "none") != 0)
            continue;
        path[count] = osc_path_join(r->folder, r->record[i].path);
        if (path[count] == NULL)
            return 0;
        count++;
    }
    return count;
}

static osc_status read_family(emergence_set *set, const report *r, char **path, size_t count)
{
    static const emergence_options options = { .outliers.rule = FEATURE_RULE_DEFAULT, .seed = 1 };
    OSC_TRY(emergence_read(set, path, count, &options));
    osc_status status = shorten_paths(set, r->folder);
    if (status != OSC_OK)
        emergence_free(set);
    return status;
}

static osc_status write_emergence(report *r, FILE *out)
{
    emergence_set set;
    char **path = osc_alloc(r->records, sizeof *path);
    if (path == NULL)
        return OSC_ENOMEM;
    size_t count = choose_family(r, path);
    osc_status status = OSC_OK;
    if (count > 1 && read_family(&set, r, path, count) == OSC_OK) {
        status = write_family(r, out, &set);
        emergence_free(&set);
    } else if (count > 1) {
        status = report_add_notice(r, "emergence", osc_error());
    }
    for (size_t i = 0; i < r->records; i++)
        osc_free(path[i]);
    osc_free(path);
    return status;
}

/* --- ablation ---------------------------------------------------------------------- */

static osc_status draw_ablation(const void *user, FILE *out)
{
    return ablation_plot(user, out);
}

static osc_status write_ablations(report *r, FILE *out)
{
    for (size_t i = 0; i < r->ablations; i++) {
        const ablation *a = &r->ablation[i];
        OSC_TRY(report_figure(r, out, draw_ablation, a, "%s without its outlier features, beside "
                              "random sets of as many others (%s): perplexity with the features "
                              "taken out in every block, and the attention's largest probability "
                              "with them taken out in one block at a time.", a->model,
                              r->ablation_file[i]));
        report_begin_table(r, out, "The numbers of the figure.");
        OSC_TRY(ablation_write(a, TABLE_HTML, out));
        report_end(out);
    }
    return OSC_OK;
}

/* --- schemes ----------------------------------------------------------------------- */

static osc_status draw_schemes(const void *user, FILE *out)
{
    return schemes_plot(user, out);
}

/* Is there a number that can be set against that of scheme none? */
static bool can_be_drawn(const scheme_cells *cells)
{
    bool some = false;
    for (size_t i = 0; i < cells->count; i++)
        some |= strcmp(cells->cell[i].scheme, "none") != 0 && cells->cell[i].relative > 0;
    return some;
}

static osc_status write_schemes(report *r, FILE *out)
{
    if (r->schemes.count == 0)
        return OSC_OK;
    report_begin_table(r, out, "Perplexity of each model under each matmul scheme, and relative to "
                       "that of the weights as stored (scheme none).");
    OSC_TRY(schemes_write_matrix(&r->schemes, TABLE_HTML, out));
    report_end(out);
    if (!can_be_drawn(&r->schemes))
        return OSC_OK;
    return report_figure(r, out, draw_schemes, &r->schemes, "The same numbers: a mark per model "
                         "and scheme; left of 0 the perplexity is below that without "
                         "quantization.");
}

static osc_status draw_study(const void *user, FILE *out)
{
    return schemes_plot_study(user, out);
}

static osc_status write_study(report *r, FILE *out)
{
    if (r->study.count == 0)
        return OSC_OK;
    OSC_TRY(report_figure(r, out, draw_study, &r->study, "Perplexity, and the share of input "
                          "columns that stay in floating point, by the magnitude from which a "
                          "column counts as an outlier."));
    report_begin_table(r, out, "The numbers of the figure.");
    OSC_TRY(schemes_write_study(&r->study, TABLE_HTML, out));
    report_end(out);
    return OSC_OK;
}

/* --- zero-shot tasks ---------------------------------------------------------------- */

static osc_status draw_zeroshot(const void *user, FILE *out)
{
    return zeroshot_plot(user, out);
}

static osc_status write_zeroshot(report *r, FILE *out)
{
    bool sized = false;
    if (r->zeroshot.count == 0)
        return OSC_OK;
    for (size_t i = 0; i < r->zeroshot.count; i++)
        sized |= r->zeroshot.cell[i].parameters > 0 && !isnan(r->zeroshot.cell[i].acc);
    if (sized)
        OSC_TRY(report_figure(r, out, draw_zeroshot, &r->zeroshot, "Zero-shot accuracy by the size "
                              "of the model: the mean of the tasks where a model has them all, "
                              "and each task."));
    report_begin_table(r, out, "Zero-shot accuracy of each model under each matmul scheme.");
    OSC_TRY(zeroshot_write(&r->zeroshot, TABLE_HTML, out));
    report_end(out);
    return OSC_OK;
}

/* --- definitions ------------------------------------------------------------------- */

static osc_status write_definitions(report *r, FILE *out)
{
    static const struct { const char *term, *meaning; } definitions[] = {
        { "Outlier feature", "A column index of the hidden state, followed through all blocks, "
          "whose magnitude reaches alpha (6 unless a record says otherwise) in at least 25 % of "
          "the blocks and at 6 % or more of the (block, position) pairs, in any tracked tensor: "
          "the inputs of the attention's query, key and value projections (qkv_in), of its output "
          "projection (out_in) and of the first feed-forward layer (fc1_in). After Dettmers, "
          "Lewis, Belkada, Zettlemoyer: LLM.int8(), arXiv 2208.07339, section 4.1." },
        { "One-sided", "The feature's values beyond alpha have one sign." },
        { "Quartiles", "25, 50 and 75 % of the signed values beyond alpha." },
        { "Top-1", "The largest probability of an attention row, mean over blocks, heads and "
          "queries." },
        { "Perplexity", "exp(total negative log-likelihood / scored ids). It depends on the text "
          "and on how that is cut (the protocol), which stand beside every number." },
        { "Relative", "Perplexity over that of scheme none on the same sequences." },
        { "Scheme", "How the linear layers of the blocks multiply: none is the weights as stored, "
          "the others quantize weights and inputs to 8 bits by absolute maximum or with a zero "
          "point, per tensor, row or vector; decomposed ones (decomp, llm-int8) keep columns of "
          "the input with outliers in floating point; q8-0 quantizes weights alone, in blocks "
          "of 32." },
    };
    (void)r;
    fputs("<dl class=\"definitions\">\n", out);
    for (size_t i = 0; i < sizeof definitions / sizeof *definitions; i++) {
        markup_element(out, "dt", definitions[i].term);
        markup_element(out, "dd", definitions[i].meaning);
        fputc('\n', out);
    }
    fputs("</dl>\n", out);
    return OSC_OK;
}

/* --- what was not understood --------------------------------------------------------- */

static osc_status write_notices(report *r, FILE *out)
{
    if (r->notices == 0)
        return OSC_OK;
    fputs("<div class=\"notice\">\n<p>These files, or parts of them, are not in the "
          "report:</p>\n<dl>\n", out);
    for (size_t i = 0; i < r->notices; i++) {
        markup_element(out, "dt", r->notice[i].file);
        markup_element(out, "dd", r->notice[i].message);
        fputc('\n', out);
    }
    fputs("</dl>\n</div>\n", out);
    return OSC_OK;
}

const report_section report_sections[] = {
    { "summary", "Summary", report_write_summary },
    { "outliers", "Outlier features", write_outliers },
    { "coverage", "Where outlier features are", write_coverage },
    { "metrics", "Other measures of outliers", write_metrics },
    { "emergence", "How outlier features emerge", write_emergence },
    { "ablation", "What models lose without them", write_ablations },
    { "schemes", "Matmul schemes", write_schemes },
    { "thresholds", "Outlier thresholds", write_study },
    { "zeroshot", "Zero-shot tasks", write_zeroshot },
    { "provenance", "Provenance", report_write_provenance },
    { "definitions", "Definitions", write_definitions },
    { "notices", "Not in this report", write_notices },
    { NULL, NULL, NULL },
};
