#include <config.h>
#include "store/torch.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

int osc_torch_by_text(const void *a, const void *b)
{
    const struct osc_value *x = *(const struct osc_value *const *)a;
    const struct osc_value *y = *(const struct osc_value *const *)b;
    size_t common = x->size < y->size ? x->size : y->size;
    int order = x->as.text == y->as.text ? 0 : memcmp(x->as.text, y->as.text, common);
    return order != 0 ? order : (x->size > y->size) - (x->size < y->size);
}

int osc_torch_by_key(const void *a, const void *b)
{
    const struct osc_value *x = &(*(struct osc_storage *const *)a)->key;
    const struct osc_value *y = &(*(struct osc_storage *const *)b)->key;
    return osc_torch_by_text(&x, &y);
}

static osc_status check_same(const struct osc_storage *a, const struct osc_storage *b)
{
    char quoted[OSC_QUOTED];
    if (a->dtype == b->dtype && a->count == b->count)
        return OSC_OK;
    return osc_fail(OSC_EFORMAT, "storage '%s' is said to have %zu elements of %s and %zu of %s",
                    osc_weight_quote_bytes(quoted, a->key.as.text, a->key.size),
                    a->count, osc_dtype_name(a->dtype), b->count, osc_dtype_name(b->dtype));
}

osc_status osc_torch_storages(struct osc_storage ***sorted, const struct osc_pickle *pickle)
{
    struct osc_storage **all = osc_alloc(pickle->mentions, sizeof *all);
    osc_status status = OSC_OK;
    size_t count = 0;
    if (all == NULL)
        return OSC_ENOMEM;
    for (struct osc_storage *s = pickle->storages; s != NULL; s = s->next)
        all[count++] = s;
    qsort(all, count, sizeof *all, osc_torch_by_key);
    for (size_t i = 1; i < count && status == OSC_OK; i++)
        if (osc_torch_by_key(&all[i - 1], &all[i]) == 0)
            status = check_same(all[i - 1], all[i]);
    if (status == OSC_OK)
        *sorted = all;
    else
        osc_free(all);
    return status;
}
