/* Merging: one record of the records of all shards.  Which datasets there are and what
 * becomes of them is in the table of layout.c; the shards are gone through in order, one
 * at a time, and each is added to what the new file holds of those before it. */
#include <config.h>
#include "record/record.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/lock.h"
#include "record/commit.h"
#include "record/draft.h"
#include "record/family.h"
#include "record/reader.h"
#include "record/recorder_state.h"

enum { PIECE_BYTES = 4 << 20 };     /* of what is copied at once, about */

typedef struct {
    const osc_merge_options *options;
    osc_shard               *family;
    osc_record_head          head;       /* of the new record; strings are others' */
    osc_top1_stats           top1;       /* sums of the shards so far */
    double                  *nll;        /* of one sequence */
    /* --- while a shard is added */
    const osc_h5_file       *file;
    osc_record              *shard;
    bool                     first;
    uint64_t                 events;     /* of the shard that are kept */
} merger;

static osc_status go_on(const merger *m)
{
    if (m->options->stop != NULL && m->options->stop())
        return osc_fail(OSC_STOP, "%s: stopped before it was complete; nothing was written",
                        m->options->path);
    return OSC_OK;
}

/* --- datasets of fixed shape -------------------------------------------------------------- */

static void combine(void *to, const void *from, size_t count, const osc_record_dataset *dataset)
{
    bool least = dataset->merging == OSC_MERGE_MIN;
    for (size_t i = 0; i < count; i++) {
        if (dataset->kind == OSC_H5_F64)
            ((double *)to)[i] += ((const double *)from)[i];
        else if (dataset->kind == OSC_H5_U64)
            ((uint64_t *)to)[i] += ((const uint64_t *)from)[i];
        else if (least)
            ((float *)to)[i] = fminf(((float *)to)[i], ((const float *)from)[i]);
        else
            ((float *)to)[i] = fmaxf(((float *)to)[i], ((const float *)from)[i]);
    }
}

/* `sum` and `part` have room for the dataset. */
static osc_status add_whole(const merger *m, const osc_record_dataset *dataset, size_t count,
                            void *sum, void *part)
{
    OSC_TRY(osc_h5_read(&m->shard->file, dataset->path, dataset->kind, NULL, part));
    if (m->first || dataset->merging == OSC_MERGE_SAME)
        return osc_h5_write(m->file, dataset->path, dataset->kind, NULL, part);
    OSC_TRY(osc_h5_read(m->file, dataset->path, dataset->kind, NULL, sum));
    combine(sum, part, count, dataset);
    return osc_h5_write(m->file, dataset->path, dataset->kind, NULL, sum);
}

static osc_status merge_whole(const merger *m, const osc_record_dataset *dataset)
{
    size_t count = 1;
    for (size_t d = 0; d < dataset->rank; d++)
        count *= dataset->dim[d];
    void *sum = osc_alloc(count, osc_h5_size(dataset->kind));
    void *part = osc_alloc(count, osc_h5_size(dataset->kind));
    osc_status status = sum == NULL || part == NULL
        ? OSC_ENOMEM : add_whole(m, dataset, count, sum, part);
    osc_free(part);
    osc_free(sum);
    return status;
}

/* --- datasets that grow ---------------------------------------------------------------- */

/* Elements before the growing dimension, one by one, and behind it, all at once. */
typedef struct {
    size_t outer, inner;
    size_t from, to, rows;     /* along the growing dimension: here, there, how many */
} growth;

/* `count` rows from row `row` on, of outer index `outer`. */
static osc_status copy_piece(const merger *m, const osc_record_dataset *dataset, const growth *g,
                             size_t outer, size_t row, size_t count, void *buffer)
{
    hsize_t start[OSC_RECORD_DIMS] = { 0 }, extent[OSC_RECORD_DIMS];
    osc_h5_block block = { start, extent };
    for (size_t d = 0; d < dataset->rank; d++)
        extent[d] = d < dataset->growing ? 1 : dataset->dim[d];
    if (dataset->growing > 0)
        start[0] = outer;
    extent[dataset->growing] = count;
    start[dataset->growing] = g->from + row;
    OSC_TRY(osc_h5_read(&m->shard->file, dataset->path, dataset->kind, &block, buffer));
    start[dataset->growing] = g->to + row;
    return osc_h5_write(m->file, dataset->path, dataset->kind, &block, buffer);
}

static osc_status copy_pieces(const merger *m, const osc_record_dataset *dataset, const growth *g)
{
    size_t bytes = g->inner * osc_h5_size(dataset->kind);
    size_t most = bytes < PIECE_BYTES ? PIECE_BYTES / bytes : 1;
    void *buffer = osc_alloc(most < g->rows ? most : g->rows, bytes);
    osc_status status = buffer == NULL ? OSC_ENOMEM : OSC_OK;
    for (size_t o = 0; o < g->outer; o++)
        for (size_t row = 0; row < g->rows && status == OSC_OK; row += most) {
            status = go_on(m);
            if (status == OSC_OK)
                status = copy_piece(m, dataset, g, o, row,
                                    g->rows - row < most ? g->rows - row : most, buffer);
        }
    osc_free(buffer);
    return status;
}

static osc_status append(const merger *m, const osc_record_dataset *dataset)
{
    bool events = dataset->growth == OSC_GROWS_BY_EVENT;
    growth g = { .outer = 1, .inner = 1,
                 .to = events ? (size_t)m->head.events : m->head.info.sequences_done,
                 .rows = events ? (size_t)m->events : m->shard->head.info.sequences_done };
    for (size_t d = 0; d < dataset->rank; d++) {
        if (d < dataset->growing)
            g.outer *= dataset->dim[d];
        else if (d > dataset->growing)
            g.inner *= dataset->dim[d];
    }
    if (g.rows == 0)
        return OSC_OK;
    OSC_TRY(osc_h5_extend(m->file, dataset->path, dataset->growing, g.to + g.rows));
    return copy_pieces(m, dataset, &g);
}

static osc_status merge_dataset(void *user, const osc_record_dataset *dataset)
{
    const merger *m = user;
    OSC_TRY(go_on(m));
    if (dataset->growth != OSC_GROWS_NOT)
        return append(m, dataset);
    return dataset->merging == OSC_MERGE_APART ? OSC_OK : merge_whole(m, dataset);
}

/* --- numbers of the whole ---------------------------------------------------------------- */

/* As the recorder does: id by id in the order of the corpus. */
static osc_status add_nll(merger *m)
{
    for (size_t s = 0; s < m->shard->head.info.sequences_done; s++) {
        size_t ids;
        OSC_TRY(osc_record_sequence(m->shard, s, &ids, NULL, m->nll));
        for (size_t t = 1; t < ids; t++)
            m->head.info.nll += m->nll[t];
        m->head.info.scored += ids - 1;
    }
    return OSC_OK;
}

static osc_status add_top1(merger *m)
{
    size_t cells = m->shard->layout.layers * m->shard->layout.heads;
    if (cells == 0)
        return OSC_OK;
    double *mass = osc_alloc(2 * cells, sizeof *mass);
    if (mass == NULL)
        return OSC_ENOMEM;
    osc_top1_stats part = { .mass = mass,
                            .without = m->top1.without != NULL ? mass + cells : NULL };
    osc_status status = osc_record_top1_sums(m->shard, &part);
    for (size_t i = 0; i < cells && status == OSC_OK; i++) {
        m->top1.mass[i] += part.mass[i];
        if (part.without != NULL)
            m->top1.without[i] += part.without[i];
    }
    m->top1.queries += part.queries;
    m->top1.first += part.first;
    osc_free(mass);
    return status;
}

/* The first events in order are kept: a shard's own cap has dropped none of those. */
static osc_status add_shard(merger *m, size_t i)
{
    const osc_record_head *head = &m->shard->head;
    uint64_t room = m->head.event_cap - m->head.events;
    m->first = i == 0;
    m->events = head->events < room ? head->events : room;
    OSC_TRY(osc_record_each(&m->shard->layout, merge_dataset, m));
    OSC_TRY(add_nll(m));
    OSC_TRY(add_top1(m));
    m->head.info.sequences_done += head->info.sequences_done;
    m->head.info.positions += head->info.positions;
    m->head.events += m->events;
    m->head.events_dropped += head->events_dropped + (head->events - m->events);
    osc_progress_tick(m->options->progress, "merging", m->head.info.sequences_done,
                      m->head.info.corpus_sequences);
    return OSC_OK;
}

static osc_status write_end(merger *m, const osc_h5_file *file)
{
    osc_record_info *info = &m->head.info;
    info->complete = true;
    info->perplexity = info->scored == 0 ? NAN : exp(info->nll / (double)info->scored);
    OSC_TRY(osc_record_write_dropped(file, m->head.events_dropped));
    if (info->heads > 0)
        OSC_TRY(osc_record_write_top1(file, &m->family[0].layout, &m->top1, m->family[0].without));
    return osc_record_put_progress(file, &m->head);
}

static osc_status fill(void *user, const osc_h5_file *file)
{
    merger *m = user;
    OSC_TRY(osc_record_create(file, &m->family[0].layout, &m->head));
    m->file = file;
    for (size_t i = 0; i < m->options->count; i++) {
        OSC_TRY(osc_shard_open(&m->shard, &m->family[i]));
        osc_status status = add_shard(m, i);
        osc_record_close(m->shard);
        OSC_TRY(status);
    }
    return write_end(m, file);
}

/* --- the whole ----------------------------------------------------------------------------- */

/* A line per shard: where its numbers come from. */
static char *describe_shards(const osc_shard *family, size_t count)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        const osc_record_info *info = &family[i].head.info;
        fprintf(out, "%s%s: shard %zu of %zu, sequences %zu to %zu, %s on %s with %zu threads, "
                "%s: %s", i == 0 ? "" : "\n", family[i].path, info->shard, info->shards,
                info->first_sequence, info->first_sequence + info->sequences - 1, info->time,
                info->host, info->threads, info->tool, info->command);
    }
    char *copy = osc_close_text(out, &text) ? osc_copy_string(text, size) : NULL;
    free(text);
    return copy;
}

static void describe_whole(merger *m, const char *merged)
{
    const osc_merge_options *o = m->options;
    m->head = m->family[0].head;
    osc_record_info *info = &m->head.info;
    info->tool = o->tool;
    info->command = o->command;
    info->time = o->time;
    info->host = o->host;
    info->merged = merged;
    info->sequences = info->corpus_sequences;
    info->shards = 0;
    osc_record_whole(info);
    info->sequences_done = info->positions = info->scored = 0;
    info->nll = 0.0;
    info->complete = false;
    m->head.events = m->head.events_dropped = 0;
}

static osc_status allocate(merger *m)
{
    const osc_record_layout *layout = &m->family[0].layout;
    size_t cells = layout->layers * layout->heads;
    m->nll = osc_alloc(layout->length, sizeof *m->nll);
    m->top1.mass = osc_alloc(cells, sizeof *m->top1.mass);
    m->top1.without = layout->without > 0 ? osc_alloc(cells, sizeof *m->top1.without) : NULL;
    if (m->nll == NULL || m->top1.mass == NULL || (layout->without > 0 && m->top1.without == NULL))
        return OSC_ENOMEM;
    return OSC_OK;
}

static osc_status write_merged(merger *m, const char *path)
{
    uint64_t bytes = osc_record_create_bytes(&m->family[0].layout);
    for (size_t i = 0; i < m->options->count; i++)
        bytes += m->family[i].bytes;
    char *merged = describe_shards(m->family, m->options->count);
    if (merged == NULL)
        return osc_fail(OSC_ENOMEM, "out of memory");
    describe_whole(m, merged);
    osc_status status = allocate(m);
    if (status == OSC_OK)
        status = osc_record_replace(path, false, bytes, fill, m);
    osc_free(m->top1.without);
    osc_free(m->top1.mass);
    osc_free(m->nll);
    osc_free(merged);
    return status;
}

/* Also under another name, a shard must not be written over. */
static osc_status check_target(const char *path, const osc_merge_options *options)
{
    bool exists;
    OSC_TRY(osc_target_exists(&exists, path));
    for (size_t i = 0; i < options->count; i++) {
        char *shard;
        OSC_TRY(osc_target_path(&shard, options->shards[i]));
        bool same = strcmp(shard, path) == 0;
        osc_free(shard);
        if (same)
            return osc_fail(OSC_EINVAL, "%s: is one of the records to merge", options->path);
    }
    if (exists && !options->overwrite)
        return osc_fail(OSC_EINVAL, "%s: exists already; overwrite it or choose another name",
                        options->path);
    return OSC_OK;
}

osc_status osc_record_merge(const osc_merge_options *options)
{
    merger m = { .options = options };
    char *path;
    int lock = -1;
    OSC_TRY(osc_target_path(&path, options->path));
    osc_status status = check_target(path, options);
    if (status == OSC_OK)
        status = osc_family_read(&m.family, options->shards, options->count);
    if (status == OSC_OK)
        status = osc_lock_take(&lock, path);
    if (status == OSC_OK)
        status = write_merged(&m, path);
    osc_lock_release(lock, path);
    osc_family_free(m.family, options->count);
    osc_free(path);
    return status;
}
