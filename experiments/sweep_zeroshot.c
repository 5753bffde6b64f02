/* The data of a section of zeroshot, to be compared when a sweep goes on and counted before
 * it begins. */
#include <config.h>
#include "experiments/sweep.h"

#include <string.h>

#include "experiments/zeroshot.h"

static const char *text_of(const json_t *options, const char *key)
{
    return json_string_value(json_object_get(options, key));
}

/* The data and what the section says besides; o->data is gone by then. */
static osc_status read_data(zeroshot_data *data, zeroshot_options *o, const sweep_conf *conf,
                            const json_t *section)
{
    const json_t *options = json_object_get(section, "options");
    const char *place = text_of(options, "data"), *bos = text_of(options, "bos");
    char *folder = sweep_conf_path(conf, place);
    *o = (zeroshot_options){ .data = folder, .tasks = text_of(options, "tasks"),
                             .run.backend = text_of(options, "backend") };
    if (text_of(options, "limit") != NULL)
        (void)osc_parse_size(&o->limit, "limit", text_of(options, "limit"), 1, SIZE_MAX);
    osc_status status = place == NULL || folder != NULL ? OSC_OK : OSC_ENOMEM;
    if (status == OSC_OK && bos != NULL)
        status = zeroshot_bos_parse(&o->bos, bos);
    if (status == OSC_OK)
        status = zeroshot_data_check(o);
    if (status == OSC_OK)
        status = zeroshot_data_read(data, o);
    o->data = NULL;
    osc_free(folder);
    return status;
}

osc_status sweep_zeroshot_digest(char hex[OSC_DIGEST_HEX], const sweep_conf *conf,
                                 const json_t *section)
{
    zeroshot_data data;
    zeroshot_options o;
    osc_digest *digest;
    OSC_TRY(osc_digest_create(&digest));
    osc_status status = read_data(&data, &o, conf, section);
    if (status != OSC_OK) {
        osc_digest_free(digest);
        return status;
    }
    for (size_t i = 0; i < data.count && status == OSC_OK; i++)
        status = osc_digest_add(digest, data.items[i]->digest, strlen(data.items[i]->digest));
    if (status == OSC_OK)
        status = osc_digest_finish(digest, hex);
    osc_digest_free(digest);
    zeroshot_data_free(&data);
    return status;
}

/* The lengths of all requests, one after another. */
static osc_corpus *join(const zeroshot_model *m, size_t tasks)
{
    osc_corpus *corpus = osc_alloc(1, sizeof *corpus);
    size_t count = 0, at = 0;
    for (size_t t = 0; t < tasks; t++)
        count += m->requests[t]->corpus.count;
    if (corpus == NULL)
        return NULL;
    *corpus = (osc_corpus){ .offset = osc_alloc(count + 1, sizeof *corpus->offset),
                            .longest = m->longest, .length = m->longest, .bos = m->bos };
    if (corpus->offset == NULL) {
        osc_corpus_free(corpus);
        return NULL;
    }
    for (size_t t = 0; t < tasks; t++) {
        const osc_corpus *part = &m->requests[t]->corpus;
        for (size_t i = 0; i < part->count; i++)
            corpus->offset[++corpus->count] = at + part->offset[i + 1];
        at += part->offset[part->count];
    }
    return corpus;
}

osc_status sweep_zeroshot_input(run_input *input, const sweep *s, const sweep_cell *cell,
                                const char *model)
{
    zeroshot_data data;
    zeroshot_options o;
    zeroshot_model m;
    const char *place = text_of(json_object_get(cell->section, "options"), "tokenizer");
    OSC_TRY(read_data(&data, &o, &s->conf, cell->section));
    char *tokenizer = sweep_conf_path(&s->conf, place);
    o.run.tokenizer = tokenizer;
    osc_status status = zeroshot_model_open(&m, &data, &o, model);
    if (status == OSC_OK) {
        *input = (run_input){ .model = m.model, .corpus = join(&m, data.count) };
        m.model = NULL;
        zeroshot_model_close(&m);
        status = input->corpus != NULL ? OSC_OK : OSC_ENOMEM;
        if (status != OSC_OK)
            run_close(input);
    }
    osc_free(tokenizer);
    zeroshot_data_free(&data);
    return status;
}
