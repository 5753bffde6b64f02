#include <config.h>
#include "experiments/shard.h"

#include <stdio.h>
#include <string.h>

osc_status shard_parse(size_t *shard, size_t *shards, const char *text)
{
    char rest;
    *shard = *shards = 1;
    if (text == NULL)
        return OSC_OK;
    if (strspn(text, "0123456789/") != strlen(text)
        || sscanf(text, "%9zu/%9zu%c", shard, shards, &rest) != 2
        || *shard < 1 || *shard > *shards)
        return osc_fail(OSC_EINVAL, "--shard: '%s' is not I/N with I from 1 to N", text);
    return OSC_OK;
}
