/* A family of simulated records: points, cautions, tables, JSON, figures. */
#include <config.h>
#include "record_sim.h"
#include "run.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "analyses/emergence.h"
#include "analyses/published.h"
#include "memory_file.h"
#include "xml.h"

enum { RECORDS = 5 };

static char path[RECORDS][80];
static char *paths[RECORDS];

/* Record `i`: models of growing size, the first two of one name; `spoil`: 1 another alpha,
 * 2 an incomplete run, 3 another scheme, 4 no measures. */
static void make_record(int i, int spoil)
{
    osc_recorder_options options = sim_options(path[i]);
    char digest[16], name[16];
    snprintf(digest, sizeof digest, "w%d", i);
    snprintf(name, sizeof name, "opt-%d", i < 2 ? 0 : i);
    options.overwrite = true;
    options.metrics = spoil != 4;
    options.info.model = name;
    options.info.weights_sha256 = digest;
    options.info.parameters = 1000000u << i;
    if (spoil == 1)
        options.info.alpha = 5;
    if (spoil == 3)
        options.info.scheme = "absmax";
    ck_ok(sim_record_all(&options, 4, spoil == 2 ? 8 : SIM_SEQUENCES));
}

static void set_up(void)
{
    ck_assert(sim_set_up());
    for (int i = 0; i < RECORDS; i++) {
        snprintf(path[i], sizeof path[i], "%s/%d.h5", sim_folder, i);
        paths[i] = path[i];
        make_record(i, 0);
    }
}

static void tear_down(void)
{
    for (int i = 0; i < RECORDS; i++)
        unlink(path[i]);
    sim_clean_up();
}

static const emergence_options defaults = {
    .outliers.rule = FEATURE_RULE_DEFAULT, .seed = 1,
};

static emergence_set read_set(const emergence_options *options)
{
    emergence_set set;
    ck_ok(emergence_read(&set, paths, RECORDS, options));
    ck_assert_uint_eq(set.records.count, RECORDS);
    return set;
}

/* --- points ------------------------------------------------------------------------------ */

START_TEST(test_points)
{
    emergence_options options = defaults;
    emergence_set set = read_set(&options);
    for (size_t i = 0; i < RECORDS; i++) {
        const emergence_point *p = &set.records.point[i];
        outlier_result alone;
        ck_ok(outliers_read(&alone, set.result[i].path, &options.outliers));
        ck_assert_double_eq(p->value[EMERGENCE_PARAMETERS], (double)alone.info.parameters);
        ck_assert_double_eq(p->value[EMERGENCE_PERPLEXITY], alone.info.perplexity);
        ck_assert_double_eq(p->value[EMERGENCE_COUNT], (double)alone.summary.count);
        ck_assert_double_eq(p->value[EMERGENCE_LAYERS], alone.summary.common->layers);
        ck_assert_double_eq(p->value[EMERGENCE_MEDIAN],
                            fabs(alone.summary.common->quartiles[1]));
        for (size_t j = 0; j < i; j++)
            ck_assert_str_ne(p->name, set.records.point[j].name);
        outliers_free(&alone);
    }
    emergence_free(&set);
    options.mean = true;
    set = read_set(&options);
    const feature_summary *summary = &set.result[0].summary;
    ck_assert_double_eq(set.records.point[0].value[EMERGENCE_LAYERS], summary->mean_layers);
    ck_assert_double_eq(set.records.point[0].value[EMERGENCE_POSITIONS], summary->mean_positions);
    ck_assert(summary->mean_positions != summary->common->positions);
    emergence_free(&set);
}
END_TEST

/* Without outliers nothing is affected, and there is no magnitude. */
START_TEST(test_no_outliers)
{
    emergence_options options = defaults;
    options.outliers.rule.min_positions = 1;
    emergence_set set = read_set(&options);
    const double *value = set.records.point[0].value;
    ck_assert_double_eq(value[EMERGENCE_COUNT], 0);
    ck_assert_double_eq(value[EMERGENCE_LAYERS], 0);
    ck_assert_double_eq(value[EMERGENCE_POSITIONS], 0);
    ck_assert(isnan(value[EMERGENCE_MEDIAN]));
    for (size_t i = 0; i < EMERGENCE_RELATIONS; i++) {
        ck_assert_int_eq(set.records.outcome[i].ranks.method, RANKS_REFUSED);
        ck_assert_str_ne(set.records.outcome[i].fit.refused, "");
    }
    emergence_free(&set);
}
END_TEST

/* --- cautions ---------------------------------------------------------------------------- */

static void collect(void *user, const char *text)
{
    strncat(user, text, 2000);
}

static void check_cautions(const emergence_set *set, int spoil)
{
    static const char *const expected[] = {
        "", "differ in alpha: 6 in ", "is incomplete: 8 of 11 sequences", "differ in scheme: llm",
    };
    char said[8192] = "";
    emergence_cautions(set, collect, said);
    if (spoil == 0)
        ck_assert_str_eq(said, "");
    else
        ck_assert_ptr_nonnull(strstr(said, path[3]));
    ck_assert_msg(strstr(said, expected[spoil]) != NULL, "%s", said);
    ck_assert_int_eq(emergence_alike(set), spoil == 0);
}

START_TEST(test_twice)
{
    char said[2048] = "", *both[] = { path[0], path[0] };
    emergence_set set;
    ck_ok(emergence_read(&set, both, 2, &defaults));
    emergence_cautions(&set, collect, said);
    ck_assert_ptr_nonnull(strstr(said, "of the same weights and count twice"));
    emergence_free(&set);
}
END_TEST

START_TEST(test_errors)
{
    emergence_set set;
    char missing[] = "none.h5", *list[] = { path[0], path[1], missing };
    ck_assert_int_ne(emergence_read(&set, list, 3, &defaults), OSC_OK);
    sim_error_has("none.h5");
    osc_status status = OSC_ENOMEM;
    for (size_t n = 1; status != OSC_OK; n += n < 20 ? 1 : n / 8) {
        memory_file file;
        memory_open(&file);
        osc_alloc_fail_from(n);
        status = emergence_read(&set, paths, 2, &defaults);
        if (status == OSC_OK) {
            status = emergence_draw(&set, EMERGENCE_3A, file.stream);
            emergence_free(&set);
        }
        osc_alloc_fail_from(0);
        free(memory_close(&file));
    }
}
END_TEST

/* --- what is written ----------------------------------------------------------------------- */

static json_t *read_json(const emergence_set *set)
{
    memory_file file;
    json_t *root;
    ck_ok(emergence_write_json(set, memory_open(&file)));
    char *text = memory_close(&file);
    ck_ok(osc_json_parse(&root, text, strlen(text), OSC_JSON_STRICT));
    free(text);
    return root;
}

static json_t *relation_of(const json_t *relations, const char *x, const char *y)
{
    for (size_t i = 0; i < json_array_size(relations); i++) {
        json_t *r = json_array_get(relations, i);
        if (strcmp(json_string_value(json_object_get(r, "x")), x) == 0
            && strcmp(json_string_value(json_object_get(r, "y")), y) == 0)
            return r;
    }
    ck_abort_msg("no relation of %s and %s", x, y);
    return NULL;
}

/* Records and published models are apart: neither changes what is said of the other. */
START_TEST(test_json)
{
    emergence_options options = defaults;
    emergence_set set = read_set(&options);
    json_t *alone = read_json(&set);
    emergence_free(&set);
    options.published = true;
    set = read_set(&options);
    json_t *root = read_json(&set);
    emergence_free(&set);
    for (const char *const *key = (const char *const[]){ "points", "relations", NULL };
         *key != NULL; key++)
        ck_assert(json_equal(json_object_get(alone, *key), json_object_get(root, *key)));
    ck_assert_uint_eq(json_array_size(json_object_get(alone, "published")), 0);
    ck_assert_uint_eq(json_array_size(json_object_get(root, "published")), PUBLISHED_MODELS);
    json_t *count = relation_of(json_object_get(root, "published_relations"), "perplexity", "count");
    ck_assert_double_eq_tol(json_real_value(json_object_get(count, "spearman")),
                            -0.9660917830792959, 1e-12);
    json_t *rate = json_object_get(json_object_get(json_object_get(count, "fit"), "parameters"),
                                   "rate");
    ck_assert_double_eq_tol(json_real_value(json_object_get(rate, "value")), 0.111011727, 1e-6);
    json_t *layers = relation_of(json_object_get(root, "published_relations"), "parameters",
                              "layers");
    json_t *midpoint = json_object_get(json_object_get(json_object_get(layers, "fit"),
                                                       "parameters"), "midpoint");
    ck_assert_double_eq_tol(json_real_value(json_object_get(midpoint, "value")), 9.0769326, 1e-4);
    ck_assert_uint_eq(json_array_size(json_object_get(root, "published_relations")),
                      EMERGENCE_RELATIONS);
    json_t *flat = relation_of(json_object_get(root, "relations"), "parameters", "layers");
    ck_assert_str_eq(json_string_value(json_object_get(json_object_get(flat, "fit"), "refused")),
                     "all values of y are equal");
    ck_assert(json_is_null(json_object_get(flat, "spearman")));
    json_decref(alone);
    json_decref(root);
}
END_TEST

START_TEST(test_tables)
{
    emergence_options options = defaults;
    options.published = true;
    emergence_set set = read_set(&options);
    for (int format = TABLE_TEXT; format <= TABLE_LATEX; format++) {
        memory_file file;
        ck_ok(emergence_write_points(&set, (table_format)format, memory_open(&file)));
        char *text = memory_close(&file);
        ck_assert_uint_eq(xml_count(text, "FSEQ"), 5);
        free(text);
        ck_ok(emergence_write_relations(&set, (table_format)format, memory_open(&file)));
        text = memory_close(&file);
        if (format == TABLE_CSV)
            ck_assert_uint_eq(xml_count(text, "\n"), 1 + EMERGENCE_RELATIONS + 7);
        else
            ck_assert_uint_eq(xml_count(text, "layers by perplexity, published"), 1);
        ck_assert_uint_eq(xml_count(text, "all values of y are equal") > 0, true);
        free(text);
    }
    emergence_free(&set);
}
END_TEST

/* A mark for every point, open for an incomplete record, and one of each in the legend. */
static void check_figures(const emergence_set *set, bool incomplete)
{
    static const size_t panels[] = { 2, 2, 1, 1, 5, 5, 6 };
    for (int figure = 0; figure <= EMERGENCE_FIGURES; figure++) {
        memory_file file;
        ck_ok(emergence_draw(set, (emergence_figure)figure, memory_open(&file)));
        char *svg = memory_close(&file);
        xml_check(svg);
        xml_check_parser(svg);
        ck_assert_uint_gt(xml_check_texts(svg), 15);
        ck_assert_uint_eq(xml_count(svg, "nan"), 0);
        ck_assert_uint_eq(xml_count(svg, "<circle"), RECORDS * panels[figure] + 1 + incomplete);
        ck_assert_uint_eq(xml_count(svg, "fill=\"#ffffff\" stroke=\"#0072b2\""),
                          incomplete ? panels[figure] + 1 : 0);
        ck_assert_uint_eq(xml_count(svg, ">GPT-J 6B<") > 0,   /* has none of the measures */
                          set->published.count > 0 && panels[figure] != 5);
        ck_assert_uint_eq(xml_count(svg, "no room for"), 0);
        free(svg);
    }
}

START_TEST(test_figures)
{
    emergence_options options = defaults;
    make_record(3, _i);
    for (int published = 0; published < 2; published++) {
        options.published = published;
        emergence_set set = read_set(&options);
        check_cautions(&set, _i);
        check_figures(&set, _i == 2);
        emergence_free(&set);
    }
}
END_TEST

/* Quantities that no record has are not shown. */
START_TEST(test_without_measures)
{
    emergence_set set = read_set(&defaults);
    ck_assert(emergence_known(&set.records, EMERGENCE_MMR));
    ck_assert(emergence_has_figure(&set, EMERGENCE_METRICS_SIZE));
    ck_assert_double_eq(set.records.point[0].value[EMERGENCE_MASSIVE], 1);   /* feature 7 */
    emergence_free(&set);

    memory_file file;
    make_record(3, 4);
    ck_ok(emergence_read(&set, paths + 3, 1, &defaults));
    ck_assert(!emergence_known(&set.records, EMERGENCE_MMR));
    ck_assert(!emergence_has_figure(&set, EMERGENCE_METRICS_SIZE));
    ck_assert(emergence_has_figure(&set, EMERGENCE_3A));
    ck_assert_int_eq(emergence_draw(&set, EMERGENCE_METRICS_SIZE, memory_open(&file)),
                     OSC_ENOTFOUND);
    free(memory_close(&file));
    ck_ok(emergence_draw(&set, EMERGENCE_FIGURES, memory_open(&file)));
    char *svg = memory_close(&file);
    ck_assert_uint_eq(xml_count(svg, "<circle"), 6 + 1);
    free(svg);
    ck_ok(emergence_write_points(&set, TABLE_TEXT, memory_open(&file)));
    char *text = memory_close(&file);
    ck_assert_uint_eq(xml_count(text, "MMR"), 0);
    free(text);
    emergence_free(&set);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("emergence");
    TCase *tc = tcase_create("emergence");
    tcase_set_timeout(tc, 60);
    tcase_add_unchecked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, test_points);
    tcase_add_test(tc, test_no_outliers);
    tcase_add_test(tc, test_errors);
    tcase_add_test(tc, test_json);
    tcase_add_test(tc, test_tables);
    tcase_add_test(tc, test_twice);
    tcase_add_loop_test(tc, test_figures, 0, 4);   /* from here on record 3 is spoiled */
    tcase_add_test(tc, test_without_measures);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
