#include <config.h>
#include "text/encode.h"

#include "text/bpe.h"

/* One text's way: cut at added tokens, normalized, cut again, through the pre-tokenizer's
 * steps, merged. */
typedef struct {
    const osc_definition *definition;
    osc_ids              *ids;
    size_t                enough;
    bool                  stop;        /* there are enough */
    bool                  first;       /* the piece under way begins the text */
    osc_bpe               bpe;
    osc_char_reader       reader;
    osc_pipeline          normalizer, pre;
} encoder;

static osc_status append(encoder *e, int32_t id)
{
    OSC_TRY(osc_ids_append(e->ids, id));
    e->stop = e->ids->count >= e->enough;
    return OSC_OK;
}

/* Of the pre-tokenizer's pipeline. */
static osc_status take_piece(void *taker, const uint8_t *piece, size_t size)
{
    encoder *e = taker;
    OSC_TRY(osc_bpe_encode(&e->bpe, e->ids, piece, size));
    e->stop = e->ids->count >= e->enough;
    return OSC_OK;
}

typedef osc_status piece_encoder(encoder *e, const uint8_t *piece, size_t size);

/* Cuts a text at added tokens; the pieces between go to `encode`. */
static osc_status cut(encoder *e, const osc_added *added, piece_encoder *encode,
                      const uint8_t *text, size_t size)
{
    if (added == NULL)
        return encode(e, text, size);
    osc_added_search search = { .added = added, .reader = &e->reader, .text = text, .size = size };
    size_t from = 0;
    bool first = e->first;
    while (!e->stop && osc_added_next(&search)) {
        e->first = first && from == 0;
        if (from < search.start)
            OSC_TRY(encode(e, text + from, search.start - from));
        OSC_TRY(e->reader.status);
        if (!e->stop && search.start < search.end)
            OSC_TRY(append(e, search.id));
        from = search.end;
    }
    OSC_TRY(e->reader.status);
    e->first = first && from == 0;
    return e->stop || from >= size ? OSC_OK : encode(e, text + from, size - from);
}

static osc_status encode_normal(encoder *e, const uint8_t *piece, size_t size)
{
    return osc_pipeline_run(&e->pre, piece, size, e->first);
}

static osc_status encode_raw(encoder *e, const uint8_t *piece, size_t size)
{
    OSC_TRY(osc_pipeline_rewrite(&e->normalizer, &piece, &size, piece, size));
    return cut(e, e->definition->added_normal, encode_normal, piece, size);
}

osc_status osc_encode_until(const osc_tokenizer *tokenizer, osc_ids *ids,
                            const char *text, size_t size, size_t enough)
{
    const osc_definition *definition = osc_tokenizer_definition(tokenizer);
    size_t before = ids->count;
    encoder e = { .definition = definition, .ids = ids, .enough = enough,
                  .stop = before >= enough, .first = true,
                  .bpe = { .model = &definition->model },
                  .reader = { .chars = osc_tokenizer_chars(tokenizer) },
                  .normalizer = { .steps = &definition->normalizer },
                  .pre = { .steps = &definition->pre, .take = take_piece } };
    e.pre.taker = &e;
    e.pre.reader = &e.reader;
    e.pre.stop = &e.stop;
    osc_status status = cut(&e, definition->added_raw, encode_raw, (const uint8_t *)text, size);
    osc_pipeline_clear(&e.normalizer);
    osc_pipeline_clear(&e.pre);
    osc_bpe_clear(&e.bpe);
    osc_char_reader_clear(&e.reader);
    if (status != OSC_OK)
        ids->count = before;
    return status;
}

osc_status osc_tokenizer_encode(const osc_tokenizer *tokenizer, osc_ids *ids,
                                const char *text, size_t size)
{
    return osc_encode_until(tokenizer, ids, text, size, SIZE_MAX);
}
