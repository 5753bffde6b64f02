#include <config.h>
#include "store/ahead.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

#include "base/alloc.h"

enum { PARTS = 64, PIECE = 128 << 10 };

struct part {
    const osc_mapping *file;
    const char        *data;
    size_t             size;
};

struct osc_ahead {
    pthread_t       thread;
    pthread_mutex_t lock;        /* of all below */
    pthread_cond_t  changed;
    struct part     part[PARTS];   /* a ring: `count` from `first` on */
    size_t          first, count;
    bool            begun, failed, ending;
};

/* The next piece to read; false at the end. */
static bool take(osc_ahead *a, struct part *piece)
{
    pthread_mutex_lock(&a->lock);
    while (a->count == 0 && !a->ending)
        pthread_cond_wait(&a->changed, &a->lock);
    bool ending = a->ending;
    if (!ending) {
        struct part *part = &a->part[a->first];
        *piece = *part;
        piece->size = part->size < PIECE ? part->size : PIECE;
        part->data += piece->size;
        part->size -= piece->size;
        if (part->size == 0) {
            a->first = (a->first + 1) % PARTS;
            a->count--;
        }
    }
    pthread_mutex_unlock(&a->lock);
    return !ending;
}

static void *read_parts(void *user)
{
    struct part piece;
    while (take(user, &piece))
        osc_mapping_expect(piece.file, piece.data, piece.size);
    return NULL;
}

/* Signals are for the threads that the program knows. */
static bool begin(osc_ahead *a)
{
    sigset_t all, before;
    sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
        return false;
    bool begun = pthread_create(&a->thread, NULL, read_parts, a) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return begun;
}

osc_ahead *osc_ahead_create(void)
{
    osc_ahead *made = osc_alloc(1, sizeof *made);
    if (made == NULL)
        return NULL;
    pthread_mutex_init(&made->lock, NULL);     /* neither can fail on Linux */
    pthread_cond_init(&made->changed, NULL);
    return made;
}

void osc_ahead_free(osc_ahead *a)
{
    if (a == NULL)
        return;
    pthread_mutex_lock(&a->lock);
    a->ending = true;
    pthread_cond_signal(&a->changed);
    pthread_mutex_unlock(&a->lock);
    if (a->begun)
        pthread_join(a->thread, NULL);
    pthread_cond_destroy(&a->changed);
    pthread_mutex_destroy(&a->lock);
    osc_free(a);
}

void osc_ahead_add(osc_ahead *a, const osc_mapping *file, const void *data, size_t size)
{
    if (size == 0)
        return;
    pthread_mutex_lock(&a->lock);
    if (!a->begun && !a->failed) {
        a->begun = begin(a);
        a->failed = !a->begun;
    }
    if (a->begun && a->count < PARTS)
        a->part[(a->first + a->count++) % PARTS] = (struct part){ file, data, size };
    pthread_cond_signal(&a->changed);
    pthread_mutex_unlock(&a->lock);
}
