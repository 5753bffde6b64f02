#include <config.h>
#include "text/added.h"

#include "base/alloc.h"
#include "text/utf8.h"
#include "text/vocab.h"

enum { MOST_BYTES = 1000 };   /* of a token */

/* The spellings are paths from node 0 of a tree; a hash table of the edges. */
typedef struct {
    uint64_t key;     /* parent << 8 | byte, + 1; 0: empty */
    uint32_t child;
} edge;

struct osc_added {
    edge            *edge;       /* [edges], at most half full */
    size_t           edges;      /* a power of two */
    size_t           nodes;
    osc_added_token *token;      /* [nodes] of the spelling that ends there */
    bool            *ends;       /* [nodes] whether one does */
    size_t           tokens_room, ends_room;
    bool             begins[256];
};

static uint64_t key_of(uint32_t node, uint8_t byte)
{
    return ((uint64_t)node << 8 | byte) + 1;
}

static size_t first_slot(const osc_added *added, uint64_t key)
{
    return (size_t)(key * 0x9e3779b97f4a7c15u >> 32) & (added->edges - 1);
}

static size_t slot_of(const osc_added *added, uint64_t key)
{
    size_t mask = added->edges - 1, i = first_slot(added, key);
    while (added->edge[i].key != key && added->edge[i].key != 0)
        i = (i + 1) & mask;
    return i;
}

static osc_status enlarge(osc_added *added)
{
    osc_added larger = { .edges = 2 * added->edges };
    larger.edge = osc_alloc(larger.edges, sizeof *larger.edge);
    if (larger.edge == NULL)
        return OSC_ENOMEM;
    for (size_t i = 0; i < added->edges; i++) {
        uint64_t key = added->edge[i].key;
        if (key != 0)
            larger.edge[slot_of(&larger, key)] = added->edge[i];
    }
    osc_free(added->edge);
    added->edge = larger.edge;
    added->edges = larger.edges;
    return OSC_OK;
}

/* Adds a node; node numbers stay below the bytes of all spellings. */
static osc_status add_node(osc_added *added)
{
    osc_added_token *token = osc_grow(added->token, &added->tokens_room, added->nodes + 1,
                                      sizeof *token);
    if (token == NULL)
        return OSC_ENOMEM;
    added->token = token;
    bool *ends = osc_grow(added->ends, &added->ends_room, added->nodes + 1, sizeof *ends);
    if (ends == NULL)
        return OSC_ENOMEM;
    added->ends = ends;
    added->nodes++;
    return OSC_OK;
}

osc_status osc_added_create(osc_added **added)
{
    osc_added *made = osc_alloc(1, sizeof *made);
    if (made == NULL)
        return OSC_ENOMEM;
    made->edges = 256;
    made->edge = osc_alloc(made->edges, sizeof *made->edge);
    osc_status status = made->edge == NULL ? OSC_ENOMEM : add_node(made);
    if (status != OSC_OK) {
        osc_added_free(made);
        return status;
    }
    *added = made;
    return OSC_OK;
}

void osc_added_free(osc_added *added)
{
    if (added == NULL)
        return;
    osc_free(added->edge);
    osc_free(added->token);
    osc_free(added->ends);
    osc_free(added);
}

/* The node behind `byte` after `*node`, made if it is not there. */
static osc_status step(osc_added *added, uint32_t *node, uint8_t byte)
{
    if (2 * added->nodes >= added->edges)
        OSC_TRY(enlarge(added));
    uint64_t key = key_of(*node, byte);
    size_t slot = slot_of(added, key);
    edge *found = &added->edge[slot];
    if (((slot - first_slot(added, key)) & (added->edges - 1)) > OSC_MOST_PROBES)
        return osc_fail(OSC_EFORMAT, "more added tokens share a hash than chance allows");
    if (found->key == 0) {
        OSC_TRY(add_node(added));
        *found = (edge){ .key = key, .child = (uint32_t)(added->nodes - 1) };
    }
    *node = found->child;
    return OSC_OK;
}

osc_status osc_added_put(osc_added *added, const char *spelling, size_t size,
                         const osc_added_token *token)
{
    uint32_t node = 0;
    if (size > MOST_BYTES)
        return osc_fail(OSC_EUNSUP, "added token \"%.80s...\" has %zu bytes, at most %d are "
                        "supported", spelling, size, MOST_BYTES);
    if (size == 0)
        return OSC_OK;
    for (size_t i = 0; i < size; i++)
        OSC_TRY(step(added, &node, (uint8_t)spelling[i]));
    added->begins[(uint8_t)spelling[0]] = true;
    added->token[node] = *token;
    added->ends[node] = true;
    return OSC_OK;
}

/* --- search ----------------------------------------------------------------------- */

/* The longest token at `at`, NULL if there is none. */
static const osc_added_token *longest_at(const osc_added_search *search, size_t at, size_t *end)
{
    const osc_added *added = search->added;
    const osc_added_token *found = NULL;
    uint32_t node = 0;
    for (size_t i = at; i < search->size; ) {
        const edge *next = &added->edge[slot_of(added, key_of(node, search->text[i]))];
        if (next->key == 0)
            break;
        node = next->child;
        i++;
        if (added->ends[node]) {
            found = &added->token[node];
            *end = i;
        }
    }
    return found;
}

/* Where the character before `at` (> 0) starts. */
static size_t step_back(const uint8_t *text, size_t at)
{
    size_t start = at - 1;
    while (start > 0 && at - start < 4 && (text[start] & 0xc0) == 0x80)
        start--;
    return start;
}

static bool is_space_at(const osc_added_search *search, size_t at, size_t *size)
{
    uint32_t character;
    return osc_utf8_read(&character, size, search->text + at, search->size - at) ==
           OSC_UTF8_WHOLE && osc_char_is_space(character);
}

static bool is_single_word(const osc_added_search *search, size_t start, size_t end)
{
    size_t before = start == 0 ? 0 : step_back(search->text, start);
    if (start > 0 && osc_char_is_word(search->reader, search->text + before, start - before))
        return false;
    return end == search->size ||
           !osc_char_is_word(search->reader, search->text + end, search->size - end);
}

/* Where the white space from `at` on ends.  That which the last one went through is
 * remembered: of a row of tokens that are white space each would go through the rest. */
static size_t space_end(osc_added_search *search, size_t at)
{
    size_t n, end = at;
    if (at >= search->space && at <= search->space_end)
        return search->space_end;
    while (end < search->size && is_space_at(search, end, &n))
        end += n;
    search->space = at;
    return search->space_end = end;
}

/* Takes the white space before and after a token with it; `end` is the previous one's. */
static void strip(osc_added_search *search, const osc_added_token *token, size_t start, size_t end)
{
    size_t n, previous = search->end;
    if (token->lstrip && start < previous)
        start = previous;
    while (token->lstrip && start > previous) {
        size_t before = step_back(search->text, start);
        if (before < previous || !is_space_at(search, before, &n) || before + n != start)
            break;
        start = before;
    }
    if (token->rstrip)
        end = space_end(search, end);
    search->start = start;
    search->end = end;
    search->id = token->id;
}

bool osc_added_next(osc_added_search *search)
{
    while (search->at < search->size) {
        size_t start = search->at, end;
        const osc_added_token *token = NULL;
        if (search->added->begins[search->text[start]])
            token = longest_at(search, start, &end);
        if (token == NULL) {
            search->at++;
            continue;
        }
        search->at = end;
        if (token->single_word && !is_single_word(search, start, end))
            continue;
        strip(search, token, start, end);
        return true;
    }
    return false;
}
