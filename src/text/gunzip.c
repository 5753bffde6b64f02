#include <config.h>
#include "text/gunzip.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <zlib.h>

#include "base/alloc.h"

enum { GZIP_ONLY = 16 + MAX_WBITS };

struct output {
    char  *text;
    size_t size;       /* bytes written */
    size_t capacity;
    size_t most;       /* bytes accepted */
};

/* Twice as much as before, but no more than a byte beyond what is accepted. */
static osc_status make_room(struct output *out)
{
    enum { LEAST = 1 << 16 };
    if (out->size < out->capacity)
        return OSC_OK;
    size_t wanted = out->size < LEAST ? LEAST : 2 * out->size;
    wanted = wanted < out->most ? wanted : out->most + 1;
    char *larger = osc_alloc(wanted, 1);
    if (larger == NULL)
        return OSC_ENOMEM;
    if (out->size > 0)
        memcpy(larger, out->text, out->size);
    osc_free(out->text);
    out->text = larger;
    out->capacity = wanted;
    return OSC_OK;
}

static unsigned at_most_int(size_t size)
{
    return size < INT_MAX ? (unsigned)size : INT_MAX;
}

/* One call of inflate; `*ended` when it finished a member. */
static osc_status step(z_stream *stream, struct output *out, const uint8_t **data, size_t *left,
                       bool *ended)
{
    OSC_TRY(make_room(out));
    unsigned given = at_most_int(*left), room = at_most_int(out->capacity - out->size);
    stream->next_in = (Bytef *)(uintptr_t)*data;
    stream->avail_in = given;
    stream->next_out = (Bytef *)out->text + out->size;
    stream->avail_out = room;
    int code = inflate(stream, Z_NO_FLUSH);
    *data += given - stream->avail_in;
    *left -= given - stream->avail_in;
    out->size += room - stream->avail_out;
    *ended = code == Z_STREAM_END;
    if (code == Z_MEM_ERROR)
        return osc_fail(OSC_ENOMEM, "out of memory: decompression");
    if (code == Z_BUF_ERROR || (code == Z_OK && *left == 0 && stream->avail_out > 0))
        return osc_fail(OSC_EFORMAT, "the gzip data is truncated");
    if (code != Z_OK && code != Z_STREAM_END)
        return osc_fail(OSC_EFORMAT, "the gzip data is damaged: %s",
                        stream->msg == NULL ? "unexpected end" : stream->msg);
    if (out->size > out->most)
        return osc_fail(OSC_EFORMAT, "the gzip data expands to more than %zu bytes", out->most);
    return OSC_OK;
}

static bool only_zeros(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (data[i] != 0)
            return false;
    return true;
}

static osc_status inflate_members(z_stream *stream, struct output *out,
                                  const uint8_t *data, size_t size)
{
    bool ended;
    do {
        OSC_TRY(step(stream, out, &data, &size, &ended));
        if (ended && only_zeros(data, size))
            return OSC_OK;
    } while (!ended || inflateReset(stream) == Z_OK);
    return osc_fail(OSC_EFORMAT, "the gzip data cannot be read");
}

osc_status osc_gunzip(char **text, size_t *text_size, const uint8_t *data, size_t size)
{
    static const size_t always = (size_t)64 << 20;
    struct output out = { .most = size / 2 < always / 64 ? always : size * 32 };
    z_stream stream = { .zalloc = Z_NULL };
    if (inflateInit2(&stream, GZIP_ONLY) != Z_OK)
        return osc_fail(OSC_ENOMEM, "out of memory: decompression");
    osc_status status = inflate_members(&stream, &out, data, size);
    inflateEnd(&stream);
    if (status != OSC_OK) {
        osc_free(out.text);
        return status;
    }
    *text = out.text;
    *text_size = out.size;
    return OSC_OK;
}
