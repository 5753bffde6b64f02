/* Where the numbers of a report come from. */
#include <config.h>
#include "analyses/report.h"

#include <math.h>
#include <string.h>

enum { TEXTS = 14 };

/* The owned strings of a source. */
static void texts_of(report_source *s, char **texts[TEXTS])
{
    char **all[TEXTS] = {
        &s->file, &s->model, &s->arch, &s->dtype, &s->weights, &s->tokenizer, &s->text,
        &s->protocol, &s->scheme, &s->backend, &s->tool, &s->command, &s->time,
        &s->merged,
    };
    memcpy(texts, all, sizeof all);
}

void report_free_source(report_source *source)
{
    char **text[TEXTS];
    texts_of(source, text);
    for (size_t i = 0; i < TEXTS; i++)
        osc_free(*text[i]);
}

static char *copy_of(const char *text)
{
    return text == NULL ? osc_copy_string("", 0) : osc_copy_string(text, strlen(text));
}

osc_status report_add_source(report *r, const report_source *source)
{
    report_source *grown = osc_grow(r->source, &r->source_room, r->sources + 1, sizeof *grown);
    if (grown == NULL)
        return OSC_ENOMEM;
    r->source = grown;
    report_source copy = *source;
    char **text[TEXTS];
    bool failed = false;
    texts_of(&copy, text);
    for (size_t i = 0; i < TEXTS; i++)
        failed |= (*text[i] = copy_of(*text[i])) == NULL;
    if (failed) {
        report_free_source(&copy);
        return OSC_ENOMEM;
    }
    r->source[r->sources++] = copy;
    return OSC_OK;
}

/* report_add_source copies, so what it is given is not written to. */
static char *borrowed(const char *text)
{
    return (char *)(uintptr_t)text;
}

osc_status report_add_record_source(report *r, const char *file, const osc_record_info *info)
{
    return report_add_source(r, &(report_source){
        .file = borrowed(file), .content = info->shards > 1 ? "record of a shard" : "record",
        .merged = borrowed(info->merged), .model = borrowed(info->model),
        .arch = borrowed(info->arch), .dtype = borrowed(info->dtype),
        .weights = borrowed(info->weights_sha256), .tokenizer = borrowed(info->tokenizer_sha256),
        .text = borrowed(info->text_sha256), .protocol = borrowed(info->protocol),
        .scheme = borrowed(info->scheme), .backend = borrowed(info->backend),
        .tool = borrowed(info->tool), .command = borrowed(info->command),
        .time = borrowed(info->time), .parameters = info->parameters, .layers = info->layers,
        .hidden = info->hidden, .heads = info->heads, .ffn = info->ffn,
        .sequences = info->sequences_done, .length = info->sequence_length,
        .scored = info->scored, .bos = info->bos, .alpha = info->alpha,
    });
}

osc_status report_add_scheme_source(report *r, const char *file, const scheme_cell *cell)
{
    bool study = !isnan(cell->columns);
    return report_add_source(r, &(report_source){
        .file = borrowed(file), .content = study ? "threshold study" : "perplexity",
        .model = borrowed(cell->model), .weights = borrowed(cell->model_sha256),
        .tokenizer = borrowed(cell->tokenizer_sha256), .text = borrowed(cell->text_sha256),
        .protocol = borrowed(cell->protocol), .backend = borrowed(cell->backend),
        .sequences = cell->sequences, .length = cell->length, .scored = cell->scored,
        .bos = cell->bos, .alpha = NAN,
    });
}

osc_status report_add_ablation_source(report *r, const char *file, const ablation *a)
{
    return report_add_source(r, &(report_source){
        .file = borrowed(file), .content = "ablation", .model = borrowed(a->model),
        .weights = borrowed(a->weights), .tokenizer = borrowed(a->tokenizer),
        .text = borrowed(a->text), .protocol = borrowed(osc_protocol_name(a->protocol)),
        .scheme = borrowed(a->scheme), .backend = borrowed(a->backend),
        .tool = borrowed(a->tool), .command = borrowed(a->command), .layers = a->layers,
        .sequences = a->sequences, .length = a->length, .scored = a->scored, .bos = a->bos,
        .alpha = a->alpha,
    });
}

osc_status report_add_zeroshot_source(report *r, const char *file, const zeroshot_cell *cell)
{
    return report_add_source(r, &(report_source){
        .file = borrowed(file), .content = "zero-shot accuracy", .model = borrowed(cell->model),
        .weights = borrowed(cell->model_sha256), .tokenizer = borrowed(cell->tokenizer_sha256),
        .text = borrowed(cell->data_sha256), .protocol = borrowed(cell->task),
        .scheme = borrowed(cell->scheme), .backend = borrowed(cell->backend),
        .parameters = cell->parameters, .sequences = cell->items, .bos = cell->bos, .alpha = NAN,
    });
}

osc_status report_add_notice(report *r, const char *file, const char *message)
{
    report_notice *grown = osc_grow(r->notice, &r->notice_room, r->notices + 1, sizeof *grown);
    if (grown == NULL)
        return OSC_ENOMEM;
    r->notice = grown;
    size_t folder = strlen(r->folder);
    if (strncmp(message, r->folder, folder) == 0 && message[folder] == '/')
        message += folder + 1;
    if (strncmp(message, file, strlen(file)) == 0 && strncmp(message + strlen(file), ": ", 2) == 0)
        message += strlen(file) + 2;
    report_notice made = { copy_of(file), copy_of(message) };
    if (made.file == NULL || made.message == NULL) {
        osc_free(made.file);
        osc_free(made.message);
        return OSC_ENOMEM;
    }
    r->notice[r->notices++] = made;
    return OSC_OK;
}
