/* Hook binding: names, globs, aliases, order, errors. */
#include <config.h>
#include "run.h"

#include <string.h>

#include "engine/hook.h"

enum { LAYERS = 4 };

static osc_status count_call(const osc_event *event, void *user)
{
    (void)event;
    ++*(int *)user;
    return OSC_OK;
}

static osc_status stop(const osc_event *event, void *user)
{
    (void)event;
    (void)user;
    return OSC_STOP;
}

static const struct {
    const char *pattern;
    osc_point   point;
    int         layer;
    int         bound;    /* cells that the pattern binds in all */
} patterns[] = {
    { "blocks.3.fc1_in", OSC_AT_FC1_IN, 3, 1 },
    { "blocks.*.fc1_in", OSC_AT_FC1_IN, 0, LAYERS },
    { "blocks.2.*", OSC_AT_RESID_POST, 2, 14 },
    { "*", OSC_AT_LOGITS, -1, 14 * LAYERS + 3 },
    { "logits", OSC_AT_LOGITS, -1, 1 },
    { "embed", OSC_AT_EMBED, -1, 1 },
    { "hook_embed", OSC_AT_EMBED, -1, 1 },
    { "blocks.1.ln1.hook_normalized", OSC_AT_QKV_IN, 1, 1 },
    { "blocks.1.attn.hook_z", OSC_AT_OUT_IN, 1, 1 },
    { "blocks.*.ln2.hook_normalized", OSC_AT_FC1_IN, 3, LAYERS },
    { "blocks.0.mlp.hook_post", OSC_AT_FC2_IN, 0, 1 },
    { "blocks.0.attn.hook_*", OSC_AT_PATTERN, 0, 6 },
    { "ln_final.hook_normalized", OSC_AT_FINAL_NORM, -1, 1 },
    { "blocks.[13].resid_mid", OSC_AT_RESID_MID, 3, 2 },
};

START_TEST(test_patterns)
{
    osc_hooks *hooks;
    int calls = 0, bound = 0;
    ck_assert_int_eq(osc_hooks_create(&hooks, LAYERS), OSC_OK);
    ck_assert_int_eq(osc_hooks_add(hooks, patterns[_i].pattern, OSC_READ, count_call, &calls), OSC_OK);
    for (int p = 0; p < OSC_POINT_COUNT; p++)
        for (int layer = -1; layer < LAYERS; layer++)
            bound += osc_hooks_at(hooks, (osc_point)p, layer) == OSC_READ;
    ck_assert_int_eq(bound, patterns[_i].bound);
    ck_assert_uint_eq(osc_hooks_at(hooks, patterns[_i].point, patterns[_i].layer), OSC_READ);
    osc_event event = { .point = patterns[_i].point, .layer = patterns[_i].layer };
    ck_assert_int_eq(osc_hooks_fire(hooks, &event), OSC_OK);
    ck_assert_int_eq(calls, 1);
    osc_hooks_free(hooks);
}
END_TEST

static const struct { const char *pattern, *hint; } unknown[] = {
    { "blocks.4.fc1_in", "nearest: blocks.*.fc1_in" },
    { "blocks.*.fc1_inn", "nearest: blocks.*.fc1_in" },
    { "blocks.0.residpost", "nearest: blocks.*.resid_post" },
    { "logit", "nearest: logits" },
    { "blocks.0.zebra", "blocks.0.qkv_in" },
    { "fc1_in", "nearest: blocks.*.fc1_in" },
};

START_TEST(test_unknown)
{
    osc_hooks *hooks;
    ck_assert_int_eq(osc_hooks_create(&hooks, LAYERS), OSC_OK);
    ck_assert_int_eq(osc_hooks_add(hooks, unknown[_i].pattern, OSC_READ, count_call, NULL),
                     OSC_ENOTFOUND);
    ck_assert_msg(strstr(osc_error(), unknown[_i].hint) != NULL, "%s", osc_error());
    osc_hooks_free(hooks);
}
END_TEST

START_TEST(test_point_names)
{
    osc_point point;
    for (int p = 0; p < OSC_POINT_COUNT; p++) {
        ck_assert_int_eq(osc_point_parse(&point, osc_point_name((osc_point)p)), OSC_OK);
        ck_assert_int_eq(point, p);
    }
    ck_assert_int_eq(osc_point_parse(&point, "qkvin"), OSC_ENOTFOUND);
    ck_assert_ptr_nonnull(strstr(osc_error(), "'qkv_in'"));
}
END_TEST

START_TEST(test_several)
{
    osc_hooks *hooks;
    int first = 0, second = 0;
    ck_assert_int_eq(osc_hooks_create(&hooks, LAYERS), OSC_OK);
    ck_assert_int_eq(osc_hooks_add(hooks, "blocks.*.q", OSC_READ, count_call, &first), OSC_OK);
    ck_assert_int_eq(osc_hooks_add(hooks, "blocks.1.q", OSC_WRITE, stop, NULL), OSC_OK);
    ck_assert_int_eq(osc_hooks_add(hooks, "blocks.*.q", OSC_READ, count_call, &second), OSC_OK);
    ck_assert_uint_eq(osc_hooks_at(hooks, OSC_AT_Q, 1), OSC_READ | OSC_WRITE);
    osc_event event = { .point = OSC_AT_Q, .layer = 1 };
    ck_assert_int_eq(osc_hooks_fire(hooks, &event), OSC_STOP);
    ck_assert_int_eq(first, 1);     /* in the order added, until one stops */
    ck_assert_int_eq(second, 0);
    ck_assert_uint_eq(osc_hooks_at(NULL, OSC_AT_Q, 1), 0);
    osc_hooks_free(hooks);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hooks");
    TCase *tc = tcase_create("hooks");
    tcase_add_loop_test(tc, test_patterns, 0, sizeof patterns / sizeof *patterns);
    tcase_add_loop_test(tc, test_unknown, 0, sizeof unknown / sizeof *unknown);
    tcase_add_test(tc, test_point_names);
    tcase_add_test(tc, test_several);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
