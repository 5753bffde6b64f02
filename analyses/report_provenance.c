/* The section that says what every number was measured on, and by what. */
#include <config.h>
#include "analyses/report.h"

#include <math.h>
#include <string.h>

#include "analyses/markup.h"
#include "analyses/record_text.h"

/* --- models and texts, each once ------------------------------------------------------ */

static bool same_model(const report_source *a, const report_source *b)
{
    return strcmp(a->model, b->model) == 0 && strcmp(a->weights, b->weights) == 0
        && strcmp(a->tokenizer, b->tokenizer) == 0;
}

static bool same_text(const report_source *a, const report_source *b)
{
    return strcmp(a->text, b->text) == 0 && strcmp(a->tokenizer, b->tokenizer) == 0
        && strcmp(a->protocol, b->protocol) == 0 && a->bos == b->bos;
}

typedef bool (*same_source)(const report_source *a, const report_source *b);

/* Which of the things, counted from 1, source number `index` has. */
static size_t number_of(const report *r, size_t index, same_source same, bool *first)
{
    size_t number = 0;
    for (size_t i = 0; i <= index; i++) {
        size_t j = 0;
        while (!same(&r->source[i], &r->source[j]))
            j++;
        number += j == i;
        if (i < index && same(&r->source[i], &r->source[index])) {
            *first = false;
            return number;
        }
    }
    *first = true;
    return number;
}

static void put_digest(FILE *out, const char *name, const char *digest)
{
    fprintf(out, "<dd class=\"digest\">%s SHA-256 ", name);
    if (digest[0] == '\0')
        fputs("not recorded", out);
    else
        markup_element(out, "code", digest);
    fputs("</dd>\n", out);
}

/* The source that says most of a model: a record. */
static const report_source *best_of(const report *r, const report_source *source)
{
    for (size_t i = 0; i < r->sources; i++)
        if (same_model(&r->source[i], source) && r->source[i].parameters > 0)
            return &r->source[i];
    return source;
}

static void put_model(const report *r, FILE *out, const report_source *source, size_t number)
{
    const report_source *best = best_of(r, source);
    char parameters[32];
    fprintf(out, "<dt>M%zu: ", number);
    markup_text(out, source->model);
    fputs("</dt>\n", out);
    if (best->parameters > 0) {
        fputs("<dd>", out);
        markup_text(out, best->arch);
        fprintf(out, ", %s parameters, %zu blocks, hidden width %zu, %zu heads, feed-forward "
                "width %zu, weights stored as ",
                record_parameters_text(parameters, sizeof parameters, best->parameters),
                best->layers, best->hidden, best->heads, best->ffn);
        markup_text(out, best->dtype);
        fputs("</dd>\n", out);
    }
    put_digest(out, "weights", source->weights);
    put_digest(out, "tokenizer", source->tokenizer);
}

static void put_models(const report *r, FILE *out)
{
    fputs("<h3>Models</h3>\n<dl>\n", out);
    for (size_t i = 0; i < r->sources; i++) {
        bool first;
        size_t number = number_of(r, i, same_model, &first);
        if (first)
            put_model(r, out, &r->source[i], number);
    }
    fputs("</dl>\n", out);
}

static void put_text(FILE *out, const report_source *s, size_t number)
{
    osc_protocol protocol;
    fprintf(out, "<dt>T%zu: protocol ", number);
    markup_text(out, s->protocol);
    if (s->bos == SCHEME_BOS_UNKNOWN)
        fputs(", bos not recorded", out);
    else if (s->bos < 0)
        fputs(", no bos", out);
    else
        fprintf(out, ", bos %d", (int)s->bos);
    fputs("</dt>\n", out);
    if (osc_protocol_parse(&protocol, s->protocol) == OSC_OK)
        markup_element(out, "dd", osc_protocol_summary(protocol));
    put_digest(out, "text", s->text);
}

static void put_texts(const report *r, FILE *out)
{
    fputs("<h3>Texts and how they were cut</h3>\n<dl>\n", out);
    for (size_t i = 0; i < r->sources; i++) {
        bool first;
        size_t number = number_of(r, i, same_text, &first);
        if (first)
            put_text(out, &r->source[i], number);
    }
    fputs("</dl>\n", out);
}

/* --- files ---------------------------------------------------------------------------- */

static void put_row(table *t, const report *r, size_t index)
{
    const report_source *s = &r->source[index];
    bool first;
    table_cell(t, "%s", s->file);
    table_cell(t, "%s", s->content);
    table_cell(t, "M%zu", number_of(r, index, same_model, &first));
    table_cell(t, "T%zu", number_of(r, index, same_text, &first));
    table_cell(t, "%zu \u00d7 %zu", s->sequences, s->length);
    table_cell(t, "%zu", s->scored);
    if (isnan(s->alpha))
        table_cell(t, "-");
    else
        table_cell(t, "%g", s->alpha);
    table_cell(t, "%s", s->scheme[0] != '\0' ? s->scheme : "-");
    table_cell(t, "%s", s->backend[0] != '\0' ? s->backend : "-");
    table_cell(t, "%s", s->tool[0] != '\0' ? s->tool : "-");
    table_cell(t, "%s", s->time[0] != '\0' ? s->time : "-");
}

static osc_status put_files(report *r, FILE *out)
{
    static const table_column columns[] = {
        { "file", "", TABLE_LEFT, TABLE_ALWAYS },
        { "content", "", TABLE_LEFT, TABLE_ALWAYS },
        { "model", "", TABLE_LEFT, TABLE_ALWAYS },
        { "text", "", TABLE_LEFT, TABLE_ALWAYS },
        { "sequences \u00d7 ids", "", TABLE_RIGHT, TABLE_ALWAYS },
        { "scored", "", TABLE_RIGHT, TABLE_ALWAYS },
        { "alpha", "", TABLE_RIGHT, TABLE_ALWAYS },
        { "scheme", "", TABLE_LEFT, TABLE_ALWAYS },
        { "backend", "", TABLE_LEFT, TABLE_ALWAYS },
        { "made by", "", TABLE_LEFT, TABLE_ALWAYS },
        { "on", "", TABLE_LEFT, TABLE_ALWAYS },
    };
    table *t;
    OSC_TRY(table_create(&t, NULL, columns, sizeof columns / sizeof *columns));
    for (size_t i = 0; i < r->sources; i++)
        put_row(t, r, i);
    fputs("<h3>Files</h3>\n", out);
    report_begin_table(r, out, "The files that the numbers of this report come from; models (M) "
                       "and texts (T) are those above.");
    osc_status status = table_write(t, TABLE_HTML, out);
    report_end(out);
    table_free(t);
    return status;
}

/* Text of several lines. */
static void put_lines(FILE *out, const char *text)
{
    fputs("<pre>", out);
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");
        markup_put(out, text, length);
        fputc('\n', out);
        text += length + (text[length] == '\n');
    }
    fputs("</pre>\n", out);
}

static void put_commands(const report *r, FILE *out)
{
    bool begun = false;
    for (size_t i = 0; i < r->sources; i++) {
        const report_source *s = &r->source[i];
        if (s->command[0] == '\0' && s->merged[0] == '\0')
            continue;
        if (!begun)
            fputs("<h3>Command lines</h3>\n<dl>\n", out);
        begun = true;
        markup_element(out, "dt", s->file);
        fputs("\n<dd>", out);
        markup_element(out, "code", s->command);
        if (s->merged[0] != '\0')
            put_lines(out, s->merged);
        fputs("</dd>\n", out);
    }
    if (begun)
        fputs("</dl>\n", out);
}

static osc_status put_sweep(const report *r, FILE *out)
{
    if (r->sweep == NULL)
        return OSC_OK;
    char *text = osc_json_text(r->sweep, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    if (text == NULL)
        return osc_fail(OSC_ENOMEM, "out of memory");
    fputs("<h3>Sweep</h3>\n", out);
    put_lines(out, text);
    osc_free(text);
    return OSC_OK;
}

osc_status report_write_provenance(report *r, FILE *out)
{
    put_models(r, out);
    put_texts(r, out);
    OSC_TRY(put_files(r, out));
    put_commands(r, out);
    return put_sweep(r, out);
}
