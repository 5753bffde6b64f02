/* What known.h says. */
#include <config.h>
#include "cuda/codes.h"

#include <string.h>

#include "base/alloc.h"

enum {
    SETS = 4,           /* of bits, used in turn: so many activations are known at a time */
    UNASKED = 2         /* rows up to which products code x themselves */
};

struct osc_cuda_known {
    struct {
        const char *x;                   /* NULL: the set belongs to none */
        size_t rows, width;
    } of[SETS];
    uint32_t *bits;                      /* [SETS, words] device */
    size_t    words, next;
    bool      clear;                     /* the next set is, when the work issued is done */
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
    return osc_cuda_own(device, (void **)&known->bits, SETS * known->words * sizeof *known->bits);
}

void osc_cuda_known_close(osc_device *device)
{
    osc_free(device->known);
    device->known = NULL;
}

/* --- columns that reach the threshold ------------------------------------------------------- */

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

/* A kernel clears the set after its own, which no earlier work reads any more. */
osc_status osc_cuda_flags_for(osc_device *device, osc_cuda_flags *flags, const void *y,
                              size_t rows, size_t width)
{
    struct osc_cuda_known *known = device->known;
    *flags = (osc_cuda_flags){ .bits = NULL };
    if (known == NULL || !known->wanted || rows <= UNASKED || width > 32 * known->words)
        return OSC_OK;
    size_t set = known->next, next = (set + 1) % SETS;
    osc_cuda_known_forget(device, y, rows * width * sizeof(uint16_t));
    *flags = (osc_cuda_flags){ .bits = known->bits + set * known->words,
                               .clear = known->bits + next * known->words,
                               .words = (unsigned)known->words, .width = (unsigned)width,
                               .threshold = known->threshold };
    if (!known->clear)
        OSC_CUDA_TRY(cudaMemsetAsync(flags->bits, 0, known->words * sizeof *flags->bits,
                                     device->stream), "clearing flags");
    known->of[set].x = y;
    known->of[set].rows = rows;
    known->of[set].width = width;
    known->of[next].x = NULL;
    known->next = next;
    known->clear = true;
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

const uint32_t *osc_cuda_flags_of(const osc_device *device, const osc_cuda_layer *p)
{
    const struct osc_cuda_known *known = device->known;
    if (!has_use(&p->coding) || !known->wanted || p->coding.threshold != known->threshold)
        return NULL;
    for (size_t i = 0; i < SETS; i++)
        if (known->of[i].x == p->x && known->of[i].rows == p->rows && known->of[i].width == p->k)
            return known->bits + i * known->words;
    return NULL;
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
    for (size_t i = 0; i < SETS; i++)
        if (meets(known->of[i].x, known->of[i].rows, known->of[i].width, y, bytes))
            known->of[i].x = NULL;
    if (meets(known->coded, known->rows, known->k, y, bytes))
        known->coded = NULL;
}

void osc_cuda_known_reset(osc_device *device)
{
    osc_cuda_known_forget(device, NULL, 0);
    if (device->known != NULL)
        device->known->clear = false;
}
