#include <config.h>
#include "analyses/zeroshot.h"

#include <math.h>
#include <string.h>

double zeroshot_stderr(double mean, size_t count)
{
    return count > 1 ? sqrt(mean * (1 - mean) / (double)(count - 1)) : NAN;
}

osc_status zeroshot_add(zeroshot_cells *cells, const zeroshot_cell *cell)
{
    zeroshot_cell *grown = osc_grow(cells->cell, &cells->capacity, cells->count + 1,
                                    sizeof *grown);
    if (grown == NULL)
        return OSC_ENOMEM;
    cells->cell = grown;
    cells->cell[cells->count++] = *cell;
    return OSC_OK;
}

void zeroshot_free(zeroshot_cells *cells)
{
    osc_free(cells->cell);
    *cells = (zeroshot_cells){ .cell = NULL };
}

/* --- means ----------------------------------------------------------------------------- */

static bool together(const zeroshot_cell *a, const zeroshot_cell *b)
{
    return strcmp(a->model, b->model) == 0 && strcmp(a->scheme, b->scheme) == 0
        && strcmp(a->model_sha256, b->model_sha256) == 0
        && strcmp(a->tokenizer_sha256, b->tokenizer_sha256) == 0
        && strcmp(a->backend, b->backend) == 0 && a->bos == b->bos;
}

bool zeroshot_same(const zeroshot_cell *a, const zeroshot_cell *b)
{
    return together(a, b) && strcmp(a->task, b->task) == 0
        && strcmp(a->data_sha256, b->data_sha256) == 0 && a->items == b->items;
}

/* The cell of a task for the model and scheme of `like`, or NULL. */
static const zeroshot_cell *find(const zeroshot_cells *cells, const zeroshot_cell *like,
                                 const char *task)
{
    for (size_t i = 0; i < cells->count; i++)
        if (strcmp(cells->cell[i].task, task) == 0 && together(&cells->cell[i], like))
            return &cells->cell[i];
    return NULL;
}

zeroshot_mean zeroshot_mean_of(const zeroshot_cells *cells, size_t index)
{
    double sum = 0.0, variance = 0.0;
    size_t tasks = 0;
    for (; osc_tasks[tasks] != NULL; tasks++) {
        const zeroshot_cell *c = find(cells, &cells->cell[index], osc_tasks[tasks]->name);
        sum += c != NULL ? c->acc : NAN;
        variance += c != NULL ? c->acc_stderr * c->acc_stderr : NAN;
    }
    return (zeroshot_mean){ sum / (double)tasks, sqrt(variance) / (double)tasks };
}

bool zeroshot_is_last(const zeroshot_cells *cells, size_t index)
{
    for (size_t i = index + 1; i < cells->count; i++)
        if (together(&cells->cell[i], &cells->cell[index]))
            return false;
    return true;
}
