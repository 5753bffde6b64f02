#include <config.h>
#include "experiments/describe.h"

#include <math.h>
#include <string.h>

#include "analyses/jsonout.h"

/* Names of the points in `bits`; NULL when out of memory. */
static json_t *point_names(unsigned bits)
{
    json_t *names = json_array();
    for (osc_point point = 0; point < OSC_POINT_COUNT && names != NULL; point++)
        if (bits & 1u << point && json_array_append_new(names,
                                      json_string(osc_point_name(point))) != 0) {
            json_decref(names);
            names = NULL;
        }
    return names;
}

/* The points with statistics and their shapes; NULL when out of memory. */
static json_t *point_shapes(const osc_record *record)
{
    json_t *rows = json_array();
    size_t layers = osc_record_get_info(record)->layers;
    for (osc_point point = 0; point < OSC_POINT_COUNT && rows != NULL; point++) {
        if (!(osc_record_points(record) & 1u << point))
            continue;
        json_t *row = json_pack("{s:s, s:[I, I]}", "point", osc_point_name(point), "shape",
                                (json_int_t)layers, (json_int_t)osc_record_width(record, point));
        if (json_array_append_new(rows, row) != 0) {
            json_decref(rows);
            rows = NULL;
        }
    }
    return rows;
}

/* Strings of a file need not be UTF-8, which json_out_text sees to. */
static json_t *describe_run(const osc_record_info *i)
{
    return json_pack(
        "{s:s, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:I,"
        " s:o, s:o, s:o, s:o, s:i}",
        "kind", "record",
        "tool", json_out_text(i->tool),
        "command", json_out_text(i->command),
        "time", json_out_text(i->time),
        "host", json_out_text(i->host),
        "backend", json_out_text(i->backend),
        "threads", (json_int_t)i->threads,
        "dtype", json_out_text(i->dtype),
        "scheme", json_out_text(i->scheme),
        "model", json_out_text(i->model),
        "architecture", json_out_text(i->arch),
        "parameters", (json_int_t)i->parameters,
        "blocks", (json_int_t)i->layers,
        "hidden", (json_int_t)i->hidden,
        "heads", (json_int_t)i->heads,
        "ffn", (json_int_t)i->ffn,
        "weights_sha256", json_out_text(i->weights_sha256),
        "tokenizer_sha256", json_out_text(i->tokenizer_sha256),
        "text_sha256", json_out_text(i->text_sha256),
        "protocol", json_out_text(i->protocol),
        "bos", (int)i->bos);
}

static json_t *describe_results(const osc_record *record)
{
    const osc_record_info *i = osc_record_get_info(record);
    return json_pack(
        "{s:I, s:I, s:I, s:b, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:o}",
        "sequence_length", (json_int_t)i->sequence_length,
        "sequences", (json_int_t)i->sequences,
        "sequences_done", (json_int_t)i->sequences_done,
        "complete", (int)i->complete,
        "ids", (json_int_t)i->positions,
        "scored", (json_int_t)i->scored,
        "nll", json_out_number(i->nll),
        "perplexity", json_out_number(i->scored > 0 ? i->perplexity : NAN),
        "alpha", json_out_number(i->alpha),
        "statistics", point_shapes(record),
        "tracked", point_names(osc_record_track(record)),
        "events", (json_int_t)osc_record_event_count(record),
        "events_dropped", (json_int_t)osc_record_events_dropped(record),
        "raw", point_names(osc_record_raw(record)));
}

/* What part of a text it is, or of which parts it was made: nothing of an ordinary one. */
static json_t *describe_shards(const osc_record_info *i)
{
    json_t *lines = json_array();
    for (const char *line = i->merged; *line != '\0'; line += *line == '\n') {
        size_t length = strcspn(line, "\n");
        char *copy = osc_copy_string(line, length);
        json_array_append_new(lines, json_out_text(copy));
        osc_free(copy);
        line += length;
    }
    if (json_array_size(lines) > 0)
        return json_pack("{s:o}", "merged_from", lines);
    json_decref(lines);
    if (i->shards == 1)
        return json_object();
    return json_pack("{s:I, s:I, s:I, s:I}", "shard", (json_int_t)i->shard,
                     "shards", (json_int_t)i->shards,
                     "first_sequence", (json_int_t)i->first_sequence,
                     "corpus_sequences", (json_int_t)i->corpus_sequences);
}

osc_status describe_record(json_t **object, const char *path)
{
    osc_record *record;
    OSC_TRY(osc_record_open(&record, path));
    json_t *made = describe_run(osc_record_get_info(record));
    json_t *results = made != NULL ? describe_results(record) : NULL;
    json_t *shards = made != NULL ? describe_shards(osc_record_get_info(record)) : NULL;
    bool ok = results != NULL && shards != NULL && json_object_update(made, shards) == 0
           && json_object_update(made, results) == 0;
    json_decref(shards);
    json_decref(results);
    osc_record_close(record);
    if (!ok) {
        json_decref(made);
        return osc_fail(OSC_ENOMEM, "out of memory");
    }
    *object = made;
    return OSC_OK;
}
