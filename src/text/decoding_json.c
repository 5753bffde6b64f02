/* tokenizer.json's "decoder" and "post_processor". */
#include <config.h>
#include "text/definition.h"

#include <stdio.h>
#include <string.h>

/* --- decoder ------------------------------------------------------------------------------ */

static osc_status read_replace(osc_decoding *decoding, const json_t *object)
{
    if (decoding->byte_fallback || decoding->replaces == 4)
        return osc_fail(OSC_EUNSUP, "Replace after ByteFallback, or a fifth one, is not supported");
    return osc_replace_from_json(&decoding->replace[decoding->replaces++], object);
}

/* After Fuse: at the beginning of the whole text. */
static osc_status read_strip(osc_decoding *decoding, const json_t *object, bool fused)
{
    const char *content = "";
    size_t start = 0, stop = 0;
    OSC_TRY(osc_json_get_string(&content, object, "content"));
    OSC_TRY(osc_json_get_size(&start, object, "start"));
    OSC_TRY(osc_json_get_size(&stop, object, "stop"));
    if (!fused || stop != 0 || *content == '\0' || strlen(content) > 4)
        return osc_fail(OSC_EUNSUP, "Strip is supported only after Fuse, of one character and "
                        "with a \"stop\" of 0");
    strcpy(decoding->blank, content);
    decoding->strip = start;
    return OSC_OK;
}

static osc_status read_metaspace(osc_decoding *decoding, const json_t *object)
{
    const char *mark = "", *scheme = "always";
    bool prefix = true;
    OSC_TRY(osc_json_get_string(&mark, object, "replacement"));
    OSC_TRY(osc_json_get_bool(&prefix, object, "add_prefix_space"));
    scheme = prefix ? scheme : "never";
    OSC_TRY(osc_json_get_string(&scheme, object, "prepend_scheme"));
    if (*mark == '\0' || strlen(mark) > 4)
        return osc_fail(OSC_EFORMAT, "Metaspace: \"replacement\" is not one character");
    decoding->replace[0] = (osc_step){ .kind = OSC_STEP_REPLACE, .to = " " };
    strcpy(decoding->replace[0].from, mark);
    decoding->replaces = 1;
    strcpy(decoding->blank, mark);
    decoding->strip_token = strcmp(scheme, "never") != 0;
    return OSC_OK;
}

static osc_status read_list(osc_decoding *decoding, const json_t *list)
{
    bool fused = false;
    size_t i;
    const json_t *item;
    json_array_foreach(list, i, item) {
        const char *type = "";
        OSC_TRY(osc_json_get_string(&type, item, "type"));
        if (strcmp(type, "Replace") == 0 && !fused)
            OSC_TRY(read_replace(decoding, item));
        else if (strcmp(type, "ByteFallback") == 0 && !fused)
            decoding->byte_fallback = true;
        else if (strcmp(type, "Fuse") == 0)
            fused = true;
        else if (strcmp(type, "Strip") == 0)
            OSC_TRY(read_strip(decoding, item, fused));
        else
            return osc_fail(OSC_EUNSUP, "type \"%.40s\" in a Sequence is not supported, only "
                            "Replace, ByteFallback, Fuse and Strip in this order", type);
    }
    return OSC_OK;
}

static osc_status read_decoder(osc_decoding *decoding, const json_t *decoder,
                               osc_alphabet alphabet)
{
    const char *type = "";
    if (!json_is_object(decoder))
        return osc_fail(OSC_EUNSUP, "there is none");
    OSC_TRY(osc_json_get_string(&type, decoder, "type"));
    if (strcmp(type, "ByteLevel") == 0 && alphabet == OSC_ALPHABET_BYTES) {
        decoding->bytes = true;
        return OSC_OK;
    }
    if (strcmp(type, "Metaspace") == 0)
        return read_metaspace(decoding, decoder);
    if (strcmp(type, "Sequence") == 0)
        return read_list(decoding, json_object_get(decoder, "decoders"));
    return osc_fail(OSC_EUNSUP, "type \"%.40s\" is not supported, only ByteLevel, Metaspace and "
                    "Sequence", type);
}

void osc_decoding_from_json(osc_decoding *decoding, const json_t *decoder, osc_alphabet alphabet)
{
    if (read_decoder(decoding, decoder, alphabet) != OSC_OK)
        snprintf(decoding->unsupported, sizeof decoding->unsupported, "%.127s", osc_error());
}

/* --- post_processor -------------------------------------------------------------------------- */

/* The only id of a special token. */
static osc_status special_id(int32_t *id, const json_t *template, const json_t *item)
{
    const char *name = "";
    OSC_TRY(osc_json_get_string(&name, item, "id"));
    const json_t *token = json_object_get(json_object_get(template, "special_tokens"), name);
    const json_t *ids = json_object_get(token, "ids"), *first = json_array_get(ids, 0);
    if (json_array_size(ids) != 1 || !json_is_integer(first) || json_integer_value(first) < 0 ||
        json_integer_value(first) > INT32_MAX)
        return osc_fail(OSC_EUNSUP, "special token \"%.80s\" is not one id, which alone is "
                        "supported", name);
    *id = (int32_t)json_integer_value(first);
    return OSC_OK;
}

/* At most one special token, then the text. */
static osc_status read_template(int32_t *bos, const json_t *template)
{
    const json_t *single = json_object_get(template, "single");
    size_t n = json_array_size(single);
    const json_t *first = json_object_get(json_array_get(single, 0), "SpecialToken");
    const json_t *last = json_object_get(json_array_get(single, n - 1), "Sequence");
    *bos = -1;
    if (last == NULL || n > 2 || (n == 2 && first == NULL))
        return osc_fail(OSC_EUNSUP, "TemplateProcessing is supported only with one special token "
                        "before the text, or none");
    return n == 2 ? special_id(bos, template, first) : OSC_OK;
}

static osc_status read_post(bool *says_bos, int32_t *bos, const json_t *post, bool nested)
{
    const char *type = "";
    size_t i;
    const json_t *item;
    OSC_TRY(osc_json_get_string(&type, post, "type"));
    if (strcmp(type, "ByteLevel") == 0)   /* of offsets alone */
        return OSC_OK;
    if (strcmp(type, "TemplateProcessing") == 0 && !*says_bos) {
        *says_bos = true;
        return read_template(bos, post);
    }
    if (strcmp(type, "Sequence") != 0 || nested)
        return osc_fail(OSC_EUNSUP, "type \"%.80s\" is not supported, only ByteLevel, "
                        "TemplateProcessing and Sequence of one of each", type);
    json_array_foreach(json_object_get(post, "processors"), i, item)
        OSC_TRY(read_post(says_bos, bos, item, true));
    return OSC_OK;
}

osc_status osc_template_from_json(bool *says_bos, int32_t *bos, const json_t *post)
{
    *says_bos = false;
    *bos = -1;
    if (post == NULL || json_is_null(post))
        return OSC_OK;
    osc_status status = read_post(says_bos, bos, post, false);
    return status == OSC_OK ? OSC_OK : osc_fail_in(status, "post_processor");
}
