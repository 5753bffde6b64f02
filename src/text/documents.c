/* Text files as lists of documents. */
#include <config.h>
#include "text/corpus.h"

#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "text/gunzip.h"
#include "text/lines.h"

struct osc_documents {
    osc_mapping   file;       /* open where documents point into it */
    char         *text;       /* or the text that they point into */
    osc_document *list;
    size_t        count;
    size_t        capacity;
    osc_document  whole;      /* of a plain text */
    bool          json, wikitext;
    char          digest[OSC_DIGEST_HEX];
};

static osc_status append(osc_documents *documents, const char *text, size_t size)
{
    osc_document *list = osc_grow(documents->list, &documents->capacity, documents->count + 1,
                                  sizeof *list);
    if (list == NULL)
        return OSC_ENOMEM;
    documents->list = list;
    list[documents->count++] = (osc_document){ .text = text, .size = size };
    return OSC_OK;
}

/* --- plain text ------------------------------------------------------------------ */

static const char separator[] = "<|endoftext|>";
enum { SEPARATOR = sizeof separator - 1 };

/* The next line that is exactly the separator, or NULL; `start` begins a line. */
static const char *find_separator(const char *start, const char *end)
{
    for (const char *p = start; p < end; p += SEPARATOR) {
        p = memmem(p, (size_t)(end - p), separator, SEPARATOR);
        if (p == NULL)
            return NULL;
        bool begins = p == start || p[-1] == '\n';
        bool ends = p + SEPARATOR == end || p[SEPARATOR] == '\n';
        if (begins && ends)
            return p;
    }
    return NULL;
}

/* The newline before `end`, which is a separator's line or the end of the file,
 * belongs to no document. */
static osc_status append_plain(osc_documents *documents, const char *start, const char *end)
{
    end -= end > start && end[-1] == '\n';
    return end == start ? OSC_OK : append(documents, start, (size_t)(end - start));
}

static osc_status split_plain(osc_documents *documents, const char *text, size_t size)
{
    const char *start = text, *end = text + size;
    for (const char *found; (found = find_separator(start, end)) != NULL;) {
        OSC_TRY(append_plain(documents, start, found));
        start = found + SEPARATOR;
        start += start < end;
    }
    return append_plain(documents, start, end);
}

/* --- JSON lines -------------------------------------------------------------------- */

/* Writes the "text" of one line to `out`; it is never longer than the line. */
static osc_status read_line(char *out, size_t *out_size, const char *line, size_t size)
{
    json_t *root;
    OSC_TRY(osc_json_parse(&root, line, size, OSC_JSON_LENIENT));
    const json_t *text = json_object_get(root, "text");
    osc_status status = OSC_OK;
    if (!json_is_string(text)) {
        status = osc_fail(OSC_EFORMAT, "expected a JSON object with a string \"text\"");
    } else {
        *out_size = json_string_length(text);
        memcpy(out, json_string_value(text), *out_size);
    }
    json_decref(root);
    return status;
}

static osc_status read_lines(osc_documents *documents, char *out, const char *text, size_t size)
{
    osc_lines lines = { .rest = text, .end = text + size };
    while (osc_lines_next(&lines)) {
        size_t found = 0;
        if (osc_lines_blank(&lines))
            continue;
        osc_status status = read_line(out, &found, lines.text, lines.size);
        if (status == OSC_OK)
            status = append(documents, out, found);
        if (status != OSC_OK)
            return osc_lines_fail(&lines, status);
        out += found;
    }
    return OSC_OK;
}

/* Replaces the documents' text by the one that the lines hold. */
static osc_status split_json(osc_documents *documents, const char *text, size_t size)
{
    char *decoded = osc_alloc(size, 1);
    if (decoded == NULL)
        return OSC_ENOMEM;
    osc_status status = read_lines(documents, decoded, text, size);
    osc_free(documents->text);
    documents->text = decoded;
    return status;
}

/* --- files --------------------------------------------------------------------------- */

/* Whether the first `length` bytes of `name` end in `ending`. */
static bool has_ending(const char *name, size_t length, const char *ending)
{
    size_t n = strlen(ending);
    return length >= n && memcmp(name + length - n, ending, n) == 0;
}

static osc_status digest_file(osc_documents *documents)
{
    osc_digest *digest;
    OSC_TRY(osc_digest_create(&digest));
    osc_status status = osc_digest_add(digest, documents->file.data, documents->file.size);
    if (status == OSC_OK)
        status = osc_digest_finish(digest, documents->digest);
    osc_digest_free(digest);
    return status;
}

static osc_status check_any(const osc_documents *documents)
{
    for (size_t i = 0; i < documents->count; i++)
        if (documents->list[i].size > 0)
            return OSC_OK;
    return osc_fail(OSC_EFORMAT, "has no text");
}

static osc_status read_open_file(osc_documents *documents, const char *name)
{
    const char *text = documents->file.data == NULL ? "" : (const char *)documents->file.data;
    size_t size = documents->file.size, length = strlen(name);
    OSC_TRY(digest_file(documents));
    if (size > 0 && has_ending(name, length, ".gz")) {
        OSC_TRY(osc_gunzip(&documents->text, &size, documents->file.data, size));
        text = documents->text;
        length -= strlen(".gz");
    }
    documents->json = has_ending(name, length, ".jsonl") || has_ending(name, length, ".json");
    documents->wikitext = has_ending(name, length, ".raw");
    if (!documents->json)
        documents->whole = (osc_document){ .text = text, .size = size };
    OSC_TRY((documents->json ? split_json : split_plain)(documents, text, size));
    return check_any(documents);
}

osc_status osc_documents_read(osc_documents **documents, const char *path)
{
    osc_documents *made = osc_alloc(1, sizeof *made);
    if (made == NULL)
        return OSC_ENOMEM;
    osc_status status = osc_mapping_open(&made->file, path);
    if (status == OSC_OK) {
        status = read_open_file(made, path);
        if (status != OSC_OK)
            osc_fail_in(status, path);
        else
            status = osc_mapping_check(&made->file);
    }
    if (status != OSC_OK) {
        osc_documents_free(made);
        return status;
    }
    if (made->text != NULL)
        osc_mapping_close(&made->file);
    *documents = made;
    return OSC_OK;
}

void osc_documents_free(osc_documents *documents)
{
    if (documents == NULL)
        return;
    osc_mapping_close(&documents->file);
    osc_free(documents->text);
    osc_free(documents->list);
    osc_free(documents);
}

size_t osc_documents_count(const osc_documents *documents)
{
    return documents->count;
}

osc_document osc_documents_at(const osc_documents *documents, size_t index)
{
    return documents->list[index];
}

bool osc_documents_whole(osc_document *whole, const osc_documents *documents)
{
    if (!documents->json)
        *whole = documents->whole;
    return !documents->json;
}

bool osc_documents_are_wikitext(const osc_documents *documents)
{
    return documents->wikitext;
}

osc_status osc_documents_check(const osc_documents *documents)
{
    return documents->file.data != NULL ? osc_mapping_check(&documents->file) : OSC_OK;
}

const char *osc_documents_digest(const osc_documents *documents)
{
    return documents->digest;
}
