/* From likelihoods to choices and accuracies. */
#include <config.h>
#include "experiments/zeroshot.h"

#include <math.h>

#include "analyses/jsonout.h"

/* One item's choices. */
typedef struct {
    size_t choices;
    double log[OSC_TASK_CHOICES], norm[OSC_TASK_CHOICES];   /* log-likelihood; per character */
    size_t ids[OSC_TASK_CHOICES];
    bool   greedy[OSC_TASK_CHOICES];
    int    choice, choice_norm;        /* -1: a likelihood is NaN */
    int    gold;
} verdict;

/* The first of the largest; -1 if one is NaN. */
static int largest(const double *values, size_t count)
{
    int best = 0;
    for (size_t i = 0; i < count; i++) {
        if (isnan(values[i]))
            return -1;
        if (values[i] > values[best])
            best = (int)i;
    }
    return best;
}

/* `place` [pairs] says which request a pair is. */
static verdict judge(const osc_items *items, const osc_requests *requests, const size_t *place,
                     const osc_score *score, size_t item)
{
    verdict v = { .choices = items->task->choices, .gold = items->gold[item] };
    for (size_t k = 0; k < v.choices; k++) {
        size_t pair = item * v.choices + k, request = place[pair];
        v.log[k] = -score[request].nll;
        v.norm[k] = v.log[k] / (double)items->pair[pair].characters;
        v.ids[k] = requests->scored[request];
        v.greedy[k] = score[request].greedy;
    }
    v.choice = largest(v.log, v.choices);
    v.choice_norm = largest(v.norm, v.choices);
    return v;
}

static size_t *places(const osc_requests *requests)
{
    size_t *place = osc_alloc(requests->corpus.count, sizeof *place);
    for (size_t i = 0; i < requests->corpus.count && place != NULL; i++)
        place[requests->pair[i]] = i;
    return place;
}

osc_status zeroshot_judge(zeroshot_cell *cell, const osc_items *items,
                          const osc_requests *requests, const osc_score *score)
{
    size_t right = 0, right_norm = 0, *place = places(requests);
    const osc_task *task = items->task;
    double nll = 0.0, n = (double)items->count;
    if (place == NULL)
        return OSC_ENOMEM;
    for (size_t i = 0; i < items->count; i++) {
        verdict v = judge(items, requests, place, score, i);
        right += task->greedy ? v.greedy[0] : v.choice == v.gold;
        right_norm += v.choice_norm == v.gold;
        nll -= v.log[0];
    }
    osc_free(place);
    cell->items = items->count;
    cell->truncated = requests->truncated;
    cell->acc = (double)right / n;
    cell->acc_stderr = zeroshot_stderr(cell->acc, items->count);
    cell->acc_norm = task->normed ? (double)right_norm / n : NAN;
    cell->acc_norm_stderr = task->normed ? zeroshot_stderr(cell->acc_norm, items->count) : NAN;
    cell->perplexity = task->greedy ? exp(nll / n) : NAN;
    return OSC_OK;
}

/* --- items --------------------------------------------------------------------------------- */

static json_t *counts(const size_t *values, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_integer((json_int_t)values[i]));
    return list;
}

static json_t *item_json(const zeroshot_cell *cell, const osc_task *task, size_t item,
                         const verdict *v, const size_t *characters)
{
    json_t *row = json_pack("{s:o, s:s, s:s, s:I, s:o, s:o}", "model", json_out_text(cell->model),
                            "scheme", cell->scheme, "task", cell->task, "item", (json_int_t)item,
                            "loglikelihood", json_out_numbers(v->log, v->choices),
                            "ids", counts(v->ids, v->choices));
    if (row == NULL)
        return NULL;
    if (task->greedy)
        json_object_set_new(row, "greedy", json_boolean(v->greedy[0]));
    else {
        json_object_set_new(row, "choice", json_integer(v->choice));
        json_object_set_new(row, "gold", json_integer(v->gold));
    }
    if (task->normed) {
        json_object_set_new(row, "characters", counts(characters, v->choices));
        json_object_set_new(row, "choice_norm", json_integer(v->choice_norm));
    }
    return row;
}

static osc_status write_item(FILE *out, json_t *row)
{
    int failed = row == NULL || json_dumpf(row, out, JSON_COMPACT | JSON_REAL_PRECISION(17)) != 0;
    json_decref(row);
    fputc('\n', out);   /* errors of the stream are left to whoever closes it */
    return failed && !ferror(out) ? osc_fail(OSC_ENOMEM, "out of memory") : OSC_OK;
}

osc_status zeroshot_write_items(FILE *out, const zeroshot_cell *cell, const osc_items *items,
                                const osc_requests *requests, const osc_score *score)
{
    size_t *place = places(requests), choices = items->task->choices;
    osc_status status = place != NULL ? OSC_OK : OSC_ENOMEM;
    for (size_t i = 0; i < items->count && status == OSC_OK; i++) {
        size_t characters[OSC_TASK_CHOICES];
        verdict v = judge(items, requests, place, score, i);
        for (size_t k = 0; k < choices; k++)
            characters[k] = items->pair[i * choices + k].characters;
        status = write_item(out, item_json(cell, items->task, i, &v, characters));
    }
    osc_free(place);
    return status;
}
