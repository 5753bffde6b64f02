/* One prompt and what follows it. */
#include <config.h>
#include "experiments/generate.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "analyses/utf8.h"
#include "experiments/stop.h"

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* --- text ----------------------------------------------------------------------------- */

static osc_status append(generate_string *string, const char *text, size_t size)
{
    char *grown = osc_grow(string->text, &string->capacity, string->size + size + 1, 1);
    if (grown == NULL)
        return OSC_ENOMEM;
    string->text = grown;
    memcpy(string->text + string->size, text, size);
    string->size += size;
    string->text[string->size] = '\0';
    return OSC_OK;
}

/* To a terminal without control characters that could steer it. */
static void print_text(const char *text, size_t size)
{
    if (!isatty(STDOUT_FILENO)) {
        fwrite(text, 1, size, stdout);
        return;
    }
    for (const char *end = text + size; text < end;) {
        uint32_t character = utf8_next(&text);
        if (character == '\n' || character == '\t')
            putchar((int)character);
        else
            utf8_put(stdout, character);
    }
}

static osc_status take(const generator *g, generate_string *string, const char *text, size_t size)
{
    if (!g->options->json)
        print_text(text, size);
    return append(string, text, size);
}

static osc_status add_id(const generator *g, generate_string *string, int32_t id, bool first)
{
    const char *text;
    size_t size;
    if (g->decoder == NULL) {
        if (!g->options->json)
            printf(first ? "%d" : " %d", (int)id);
        return OSC_OK;
    }
    OSC_TRY(osc_decoder_add(g->decoder, id, &text, &size));
    return take(g, string, text, size);
}

static osc_status end_text(const generator *g, generate_string *string)
{
    const char *text;
    size_t size;
    if (g->decoder == NULL)
        return OSC_OK;
    OSC_TRY(osc_decoder_end(g->decoder, &text, &size));
    return take(g, string, text, size);
}

/* --- ids ------------------------------------------------------------------------------ */

static bool is_end(const generator *g, int32_t id)
{
    for (size_t i = 0; i < g->ends.count && !g->options->ignore_eos; i++)
        if (g->ends.id[i] == id)
            return true;
    return false;
}

/* Why there is no other id after those there are, or NULL. */
static const char *reason_to_stop(const generator *g, const generated_text *text)
{
    if (is_end(g, text->ids[text->count - 1]))
        return "eos";
    if (text->count == g->options->max)
        return "max";
    if (osc_decode_position(g->session) == g->positions)
        return "positions";
    return stop_signal() != 0 ? "signal" : NULL;
}

static osc_status add_next(const generator *g, generated_text *text, const float *logits)
{
    int32_t id;
    OSC_TRY(osc_sampler_next(g->sampler, &id, logits));
    text->ids[text->count++] = id;
    OSC_TRY(add_id(g, &text->after, id, false));
    if (!g->options->json)
        fflush(stdout);
    return OSC_OK;
}

static osc_status start(const generator *g, generated_text *text)
{
    for (size_t t = 0; t < text->prompt_count; t++)
        OSC_TRY(add_id(g, &text->before, text->prompt[t], t == 0));
    if (!g->options->json)
        fflush(stdout);
    return OSC_OK;
}

static osc_status continue_text(const generator *g, generated_text *text)
{
    const float *logits;
    double begin = seconds();
    OSC_TRY(osc_decode(g->session, text->prompt, text->prompt_count, NULL, &logits));
    text->prefill = seconds() - begin;
    OSC_TRY(add_next(g, text, logits));
    text->first = seconds() - begin;
    while ((text->stopped = reason_to_stop(g, text)) == NULL) {
        OSC_TRY(osc_decode(g->session, text->ids + text->count - 1, 1, NULL, &logits));
        OSC_TRY(add_next(g, text, logits));
    }
    text->decode = seconds() - begin - text->first;
    return OSC_OK;
}

osc_status generate_text(generated_text *text, const generator *g,
                         const generate_prompts *prompts, size_t index)
{
    *text = (generated_text){
        .prompt = prompts->ids.id + prompts->offset[index],
        .prompt_count = prompts->offset[index + 1] - prompts->offset[index],
        .ids = osc_alloc(g->options->max, sizeof *text->ids),
    };
    if (text->ids == NULL)
        return OSC_ENOMEM;
    osc_decode_begin(g->session, index);
    osc_sampler_begin(g->sampler, index);
    OSC_TRY(start(g, text));
    OSC_TRY(continue_text(g, text));
    OSC_TRY(osc_decode_end(g->session));
    OSC_TRY(end_text(g, &text->after));
    return OSC_OK;
}

void generate_free_text(generated_text *text)
{
    osc_free(text->ids);
    osc_free(text->before.text);
    osc_free(text->after.text);
}
