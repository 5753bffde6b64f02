/* What known.h says. */
#include <config.h>
#include "cuda/codes.h"

#include <string.h>

#include "base/alloc.h"

enum {
    KNOWN = 4,          /* activations at a time */
    UNASKED = 2         /* rows up to which products code x themselves */
};

/* Whose columns sets first .. first+count-1 tell. */
typedef struct {
    const char *x;                       /* [count * rows, width]; NULL: nobody's */
    size_t first, count, rows, width;
} owner;

struct osc_cuda_known {
    owner     of[KNOWN];
    size_t    turn;                      /* of them */
    uint32_t *bits;                      /* [sets, words] device, used round and round */
    size_t    sets, words;
    size_t    next, clear;               /* where the next kernel's begin, and how many are clear
                                            when the work issued is done */
    bool      wanted;
    float     threshold;
    const void *made;                    /* [made_rows, made_width], by a product of codes */
    size_t    made_rows, made_width;

    const char *coded;                   /* [rows, k], whose codes are in scratch, or NULL */
    size_t      rows, k;
    osc_coding  coding;
};

osc_status osc_cuda_known_plan(osc_device *device, const osc_limits *limits)
{
    struct osc_cuda_known *known = osc_alloc(1, sizeof *known);
    if (known == NULL)
        return OSC_ENOMEM;
    osc_cuda_known_close(device);
    device->known = known;
    known->words = (limits->widest + 31) / 32;
    known->sets = KNOWN * (limits->rows < OSC_JOINED ? limits->rows : OSC_JOINED);
    return osc_cuda_own(device, (void **)&known->bits,
                        known->sets * known->words * sizeof *known->bits);
}

void osc_cuda_known_close(osc_device *device)
{
    osc_free(device->known);
    device->known = NULL;
}

/* --- columns that reach the threshold ------------------------------------------------------- */

size_t osc_cuda_sequences(const osc_device *device, size_t rows)
{
    return device->part == 0 || rows % device->part != 0 ? 1 : rows / device->part;
}

bool osc_cuda_coding_by_row(const osc_coding *coding)
{
    return coding->x != OSC_SHARE_TENSOR
        && (coding->remove == OSC_REMOVE_NONE || coding->remove == OSC_REMOVE_FIXED);
}

/* Codes with zero points need sums over removed values, whose order is another there. */
static bool has_use(const osc_coding *coding)
{
    return coding->x == OSC_SHARE_ROW && coding->remove == OSC_REMOVE_ABSOLUTE
        && !coding->zeropoint;
}

void osc_cuda_flags_want(osc_device *device, const osc_coding *coding)
{
    struct osc_cuda_known *known = device->known;
    if (!has_use(coding) || (known->wanted && known->threshold == coding->threshold))
        return;
    known->wanted = true;
    known->threshold = coding->threshold;
    memset(known->of, 0, sizeof known->of);
}

bool osc_cuda_coding_joins(const osc_coding *coding)
{
    return osc_cuda_coding_by_row(coding) || has_use(coding);
}

/* Whoever owned one of `count` sets from `first` on. */
static void give_up(struct osc_cuda_known *known, size_t first, size_t count)
{
    for (size_t i = 0; i < KNOWN; i++) {
        owner *o = &known->of[i];
        if (o->first < first + count && first < o->first + o->count)
            o->x = NULL;
    }
}

/* A kernel clears as many sets as it uses, those that come next, which no earlier work reads
 * any more. */
osc_status osc_cuda_flags_for(osc_device *device, osc_cuda_flags *flags, const void *y,
                              size_t rows, size_t width)
{
    struct osc_cuda_known *known = device->known;
    size_t count = osc_cuda_sequences(device, rows);
    *flags = (osc_cuda_flags){ .bits = NULL };
    if (known == NULL || !known->wanted || rows <= UNASKED || width > 32 * known->words
        || count > known->sets / KNOWN)
        return OSC_OK;
    osc_cuda_known_forget(device, y, rows * width * sizeof(uint16_t));
    size_t first = known->next + count <= known->sets ? known->next : 0;
    size_t next = first + 2 * count <= known->sets ? first + count : 0;
    *flags = (osc_cuda_flags){ .bits = known->bits + first * known->words,
                               .clear = known->bits + next * known->words,
                               .words = (unsigned)known->words, .rows = (unsigned)(rows / count),
                               .cleared = (unsigned)(count * known->words),
                               .width = (unsigned)width, .threshold = known->threshold };
    if (known->next != first || known->clear < count)
        OSC_CUDA_TRY(cudaMemsetAsync(flags->bits, 0,
                                     count * known->words * sizeof *flags->bits, device->stream),
                     "clearing flags");
    give_up(known, first, count);
    give_up(known, next, count);
    known->of[known->turn++ % KNOWN] = (owner){ .x = y, .first = first, .count = count,
                                                .rows = rows / count, .width = width };
    known->next = next;
    known->clear = count;
    return OSC_OK;
}

void osc_cuda_flags_shape(osc_device *device, const osc_cuda_layer *p)
{
    device->known->made = p->y;
    device->known->made_rows = p->rows;
    device->known->made_width = p->n;
}

/* A shape that is no longer right does no harm: flags belong to an address and a shape. */
osc_status osc_cuda_flags_again(osc_device *device, osc_cuda_flags *flags, const void *y,
                                size_t count)
{
    const struct osc_cuda_known *known = device->known;
    *flags = (osc_cuda_flags){ .bits = NULL };
    if (known == NULL || known->made != y || known->made_rows * known->made_width != count)
        return OSC_OK;
    return osc_cuda_flags_for(device, flags, y, known->made_rows, known->made_width);
}

/* Which of its sequences p's x begins with; SIZE_MAX if it is not whole sequences of these. */
static size_t first_of(const osc_device *device, const owner *o, const osc_cuda_layer *p)
{
    size_t count = osc_cuda_sequences(device, p->rows);
    size_t bytes = o->rows * o->width * sizeof(uint16_t);
    const char *x = p->x;
    if (o->x == NULL || o->width != p->k || p->rows != count * o->rows || x < o->x
        || (size_t)(x - o->x) % bytes != 0 || (size_t)(x - o->x) / bytes + count > o->count)
        return SIZE_MAX;
    return (size_t)(x - o->x) / bytes;
}

osc_cuda_removed osc_cuda_flags_of(const osc_device *device, const osc_cuda_layer *p)
{
    const struct osc_cuda_known *known = device->known;
    osc_cuda_removed removed = { .bits = NULL };
    if (!has_use(&p->coding) || !known->wanted || p->coding.threshold != known->threshold)
        return removed;
    for (size_t i = 0; i < KNOWN; i++) {
        const owner *o = &known->of[i];
        size_t first = first_of(device, o, p);
        if (first == SIZE_MAX)
            continue;
        removed.bits = known->bits + (o->first + first) * known->words;
        removed.words = (unsigned)known->words;
        removed.rows = (unsigned)o->rows;
        removed.count = (unsigned)(p->rows / o->rows);
    }
    return removed;
}

/* --- codes ------------------------------------------------------------------------------------ */

/* Which columns a weight has fixed is known on the device alone. */
static bool same_rule(const osc_coding *a, const osc_coding *b)
{
    return a->x == b->x && a->zeropoint == b->zeropoint && a->remove == b->remove
        && a->threshold == b->threshold && a->top == b->top && a->remove != OSC_REMOVE_FIXED;
}

bool osc_cuda_codes_known(const osc_device *device, const osc_cuda_layer *p)
{
    const struct osc_cuda_known *known = device->known;
    return known->coded != NULL && known->coded == p->x && known->rows == p->rows
        && known->k == p->k && same_rule(&known->coding, &p->coding);
}

void osc_cuda_codes_made(osc_device *device, const osc_cuda_layer *p)
{
    struct osc_cuda_known *known = device->known;
    known->coded = p->x;
    known->rows = p->rows;
    known->k = p->k;
    known->coding = p->coding;
}

/* --- forgetting ------------------------------------------------------------------------------- */

/* Whether [rows, width] values at x share memory with `bytes` at y. */
static bool meets(const char *x, size_t rows, size_t width, const char *y, size_t bytes)
{
    return y == NULL || (x < y + bytes && y < x + rows * width * sizeof(uint16_t));
}

void osc_cuda_known_forget(osc_device *device, const void *y, size_t bytes)
{
    struct osc_cuda_known *known = device->known;
    if (known == NULL)
        return;
    for (size_t i = 0; i < KNOWN; i++)
        if (meets(known->of[i].x, known->of[i].count * known->of[i].rows, known->of[i].width, y,
                  bytes))
            known->of[i].x = NULL;
    if (meets(known->coded, known->rows, known->k, y, bytes))
        known->coded = NULL;
}

void osc_cuda_known_reset(osc_device *device)
{
    osc_cuda_known_forget(device, NULL, 0);
    if (device->known != NULL)
        device->known->clear = 0;
}
